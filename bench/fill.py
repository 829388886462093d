"""Fills the store of a stopped API server: as many objects as wanted, as the server itself stored a few.

Through the API 100,000 objects take half a minute; straight into the file some seconds. Each copy has
a name, a UID and some values of its own, as real ones have.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wherry.apiserver.encoding import encode_stored
from wherry.kit.clock import SystemClock
from wherry.store.sqlite import SqliteStore

_TOGETHER = 500


def fill(path: Path, prefix: str, samples: Sequence[dict[str, Any]], count: int) -> None:
    """Add `count` objects below the key `prefix` (ending in "/"), copies of the `samples` in turn."""
    asyncio.run(_fill(path, prefix, samples, count))


async def _fill(path: Path, prefix: str, samples: Sequence[dict[str, Any]], count: int) -> None:
    store = await SqliteStore.open(path, SystemClock())
    try:
        for start in range(0, count, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, count))
            copies = [copy_of(samples[number % len(samples)], number) for number in numbers]
            await asyncio.gather(
                *(store.create(f"{prefix}{copy['metadata']['name']}", encode_stored(copy)) for copy in copies)
            )
    finally:
        await store.close()


def copy_of(sample: dict[str, Any], number: int) -> dict[str, Any]:
    """The object again, as another one: its name and UID, and what else pods of one kind differ in."""
    name = f"{sample['metadata']['name']}-{number:06d}"
    copied = {**sample, "metadata": {**sample["metadata"], "name": name, "uid": str(uuid.uuid4())}}
    if "containers" in sample.get("spec", {}):
        copied["spec"] = _other_values(sample["spec"])
    return copied


def _other_values(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec with every fourth variable's value a random one, lest copies are alike."""
    containers = []
    for container in spec["containers"]:
        variables = [
            {**variable, "value": secrets.token_hex(20)} if place % 4 == 0 else variable
            for place, variable in enumerate(container.get("env", ()))
        ]
        # Without variables there is no list of them either: a server would not have stored an empty one.
        containers.append({**container, "env": variables} if variables else container)
    return {**spec, "containers": containers}
