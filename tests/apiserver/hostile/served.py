"""A server in a process of its own, as it runs in earnest (uvloop), to be weighed from outside.

Run as a program it furnishes a server, prints where it listens, and stays until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.timing import PATIENCE_S

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Served:
    """The running process."""

    pid: int
    port: int
    context: ssl.SSLContext

    def resident_bytes(self) -> int:
        """Its memory as the kernel counts it."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """The process, while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            said = json.loads(await process.stdout.readline())
        context = ssl.create_default_context(cafile=said["authority"])
        yield Served(process.pid, said["port"], context)
        assert process.returncode is None, "the server survived"
    finally:
        process.stdin.close()
        await process.wait()


async def main() -> None:
    """Serve until the input ends."""
    from tests.apiserver.hostile.conftest import furnish
    from tests.apiserver.rig import files, running

    async with running() as rig:
        await furnish(rig)
        print(json.dumps({"port": rig.server.port, "authority": str(files().authority.cert)}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
