"""Bring a definition in and wait until its kind is served."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.apiserver.customresources.samples import CRDS
from tests.apiserver.rig import Rig
from tests.timing import PATIENCE_S
from wherry.objects.meta import Object


async def define(rig: Rig, crd: Object) -> Any:
    """Create the definition over HTTPS; how it stands once it is established."""
    status, body, _ = await rig.http("POST", CRDS, crd)
    assert status == 201, body
    name = crd["metadata"]["name"]
    return await until(rig, f"{CRDS}/{name}", lambda obj: condition(obj, "Established") == "True")


async def until(rig: Rig, path: str, check: Any) -> Any:
    """The object at `path` once `check` holds for it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            _, body, _ = await rig.http("GET", path)
            if check(body):
                return body
            await asyncio.sleep(0.005)


def condition(obj: Any, kind: str) -> str:
    """The status of one condition, "" without it."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((str(c["status"]) for c in conditions if c["type"] == kind), "")
