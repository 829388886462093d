"""Mirrors come to an end, whatever is heard of pods meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.pod import HASH
from wherry.kubelet.static_pods.mirrors import Mirrors
from wherry.objects.meta import Object


class Hanging:
    """An API server that never answers, for a client and for whoever writes statuses."""

    def __init__(self) -> None:
        self.asked = 0

    async def create(self, *_: Any) -> Object:
        self.asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    def mirrored(self, uid: str, mirror: Object | None) -> None:
        """Nobody reads it."""


def pod(name: str) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": {HASH: name}},
        "spec": {},
    }


async def test_pods_that_go_and_come_while_it_closes() -> None:
    server = Hanging()
    mirrors = Mirrors(
        server,  # type: ignore[arg-type]
        FakeClock(),
        server,  # type: ignore[arg-type]
        lambda: {"metadata": {"name": "n", "uid": "u"}},
    )
    for name in "ab":
        mirrors.want(pod(name))
    mirrors.synced()
    await settle()
    assert server.asked == 2
    closing = asyncio.ensure_future(mirrors.close())
    await asyncio.sleep(0)
    mirrors.drop("default/b")
    mirrors.want(pod("c"))
    await closing
    mirrors.want(pod("d"))
    mirrors.changed(None, pod("e"))
    await settle()
    assert server.asked == 2
    assert mirrors._repeaters == {}
