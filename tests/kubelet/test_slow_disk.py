"""A file system that hangs: the loop turns, other pods come and go, and the pod in question says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import FakeMounts, Node, node
from tests.timing import PATIENCE_S
from wherry.api.core.pods import PODS
from wherry.kubelet.allocation.allocations import Allocations
from wherry.kubelet.volumes.base import SET_UP_TIMEOUT_S

HUNG: dict[str, Any] = {
    "volumes": [{"name": "hung", "emptyDir": {"medium": "Memory"}}],
    "containers": [
        {"name": "web", "image": "nginx:1.27", "volumeMounts": [{"name": "hung", "mountPath": "/v"}]}
    ],
}


class HangingMounts(FakeMounts):
    """Mounting a volume called `hung` waits until the server is back, then fails if told so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.back = threading.Event()
        self.hanging = False
        self.error: OSError | None = None

    def tmpfs(self, target: Path, size_bytes: int = 0) -> bool:
        if target.name == "hung":
            self.asked.set()
            self.hanging = True
            try:
                assert self.back.wait(PATIENCE_S)
            finally:
                self.hanging = False
            if self.error is not None:
                raise self.error
        return super().tmpfs(target, size_bytes)


@pytest.fixture
def mounts() -> HangingMounts:
    return HangingMounts()


@pytest.fixture
async def made(tmp_path: Path, mounts: HangingMounts) -> AsyncIterator[Node]:
    async with node(tmp_path, mounts=mounts, threads=True) as running:
        yield running
        mounts.back.set()


async def test_the_loop_turns_and_others_start(made: Node, mounts: HangingMounts) -> None:
    await made.create("hung", **HUNG)
    await eventually(mounts.asked.is_set)
    for _ in range(100):
        await asyncio.sleep(0)
    assert mounts.hanging, "what holds the loop has ended before the loop turns"
    await made.create("other")
    await made.ready("other")
    mounts.back.set()
    await made.ready("hung")


async def test_it_is_said_and_tried_again(made: Node, mounts: HangingMounts) -> None:
    await made.create("hung", **HUNG)
    await eventually(mounts.asked.is_set)
    await made.clock.advance(SET_UP_TIMEOUT_S)
    await made.said(
        "FailedMount",
        'MountVolume.SetUp failed for volume "hung" : the file system does not answer: '
        f"took longer than {SET_UP_TIMEOUT_S:g} s",
    )
    mounts.back.set()
    await made.ready_in_time("hung")


async def test_a_mount_that_fails_late_is_tried_again(made: Node, mounts: HangingMounts) -> None:
    mounts.error = OSError(5, "Input/output error")
    await made.create("hung", **HUNG)
    await eventually(mounts.asked.is_set)
    mounts.back.set()

    async def told() -> bool:
        return any("Input/output error" in message for _, message in await made.events())

    await eventually(told)
    mounts.error = None
    await made.ready_in_time("hung")


async def test_a_deleted_pod_goes_when_the_disk_is_back_and_leaves_nothing(
    made: Node, mounts: HangingMounts
) -> None:
    """Its volume is mounted while it is being removed: the removal comes after, not between."""
    uid = (await made.create("hung", **HUNG))["metadata"]["uid"]
    await eventually(mounts.asked.is_set)
    await made.admin.delete(PODS, "hung", "default", grace_period_s=1)
    await made.create("other")
    await made.ready("other")
    assert not await made.gone("hung")
    mounts.back.set()
    await eventually(lambda: made.gone("hung"))
    await eventually(lambda: not (made.config.root_dir / "pods" / uid).exists())
    assert not [path for path in mounts.mounted if uid in str(path)]


async def test_a_full_disk_is_said_and_over_when_there_is_room(
    made: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kubelet itself writes of a pod finds no room."""

    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/pods/u")

    with monkeypatch.context() as patch:
        patch.setattr(Allocations, "save", full)
        await made.create("p")
        await made.said(
            "FailedToMakePodDataDirectories",
            "error making pod data directories: No space left on device: /pods/u",
        )
    await made.ready_in_time("p")
