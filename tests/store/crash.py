"""The process that `test_crash` kills: writes as fast as it can and prints what was acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from wherry.kit.clock import SystemClock
from wherry.store.sqlite import SqliteStore
from wherry.store.writes import Write


async def write(store: SqliteStore, key: str) -> None:
    """Write one key for ever; each acknowledgement is one line, handed to the kernel at once."""
    entry = await store.get(key) or await store.create(key, b"0")
    while True:
        value = str(int(entry.value) + 1).encode()
        entry = await store.update(key, value, expected=entry.revision)
        os.write(1, f"{key} {entry.revision} {value.decode()}\n".encode())


async def write_pair(store: SqliteStore) -> None:
    """Write two keys at once for ever, the one counting up, the other coming and going."""
    entry = await store.get("/count") or await store.create("/count", b"0")
    mark = await store.get("/odd")
    while True:
        count = int(entry.value) + 1
        other = Write("/odd", b"{}", None) if mark is None else Write("/odd", None, mark.revision)
        entry, made = await store.transact([Write("/count", str(count).encode(), entry.revision), other])
        mark = made if mark is None else None


async def main(path: Path) -> None:
    store = await SqliteStore.open(path, SystemClock())
    await asyncio.gather(*(write(store, f"/{n}") for n in range(8)), write_pair(store))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
