"""Volumes several pods share: staged once, unstaged once, by records alone, whenever the agent is killed."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.builders import make_pod
from tests.kubelet.rig import FakeMounts
from tests.kubelet.volumes.network import NetworkVolume
from tests.kubelet.volumes.sources import paper_host
from tests.kubelet.volumes.test_contract import Killed, Recorder
from wherry.kubelet.volumes import pod_volumes, records, staging
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.catalog import PLUGINS
from wherry.kubelet.volumes.pod_volumes import PodVolumes
from wherry.objects.meta import Object

A, B = "uid-a", "uid-b"


class Machine:
    """A node's disk, mounts and server, which outlive its agents."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mounts = FakeMounts()
        self.network = NetworkVolume()
        self.steps: list[str] = []
        self.left = 1_000
        self.network.step = self._step
        self.volumes = self.agent()

    def _step(self, name: str) -> None:
        if self.left <= 0:
            raise Killed
        self.left -= 1
        self.steps.append(name)

    def agent(self) -> PodVolumes:
        """Another agent, which knows only what is on disk."""
        self.volumes = PodVolumes(self.root, paper_host(self.mounts), Recorder(), (*PLUGINS, self.network))
        return self.volumes

    async def set_up(self, *uids: str) -> None:
        for uid in uids:
            await self.volumes.set_up(_pod(uid), lambda *_: None, {})

    async def life(self) -> None:
        """Two pods come and go, one after the other."""
        await self.set_up(A)
        await self.set_up(B)
        await self.volumes.tear_down(A)
        await self.volumes.tear_down(B)

    def remains(self) -> list[str]:
        files = [str(path) for path in self.root.rglob("*") if not path.is_dir()]
        return files + [str(point) for point in self.mounts.mounted] + self.network.sessions


def _pod(uid: str) -> Object:
    mount = {"name": "v", "mountPath": "/v"}
    pod = make_pod(
        {"name": "web", "volumeMounts": [mount]}, volumes=[{"name": "v", "network": {"export": "e"}}]
    )
    pod["metadata"]["uid"] = uid
    return pod


@pytest.fixture
def made(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "kubelet")


async def test_staged_for_the_first_and_unstaged_after_the_last(made: Machine) -> None:
    await made.set_up(A, B)
    assert made.network.sessions == ["e"]
    assert len(made.mounts.mounted) == 3
    await made.volumes.tear_down(A)
    assert made.network.sessions == ["e"]
    await made.volumes.tear_down(B)
    assert made.remains() == []
    assert made.steps[-3:] == ["unmount for the pod", "unmount globally", "log out"]


async def test_two_pods_at_once_take_turns(made: Machine) -> None:
    await asyncio.gather(made.set_up(A), made.set_up(B))
    await asyncio.gather(made.volumes.tear_down(A), made.set_up("uid-c"), made.volumes.tear_down(B))
    assert made.network.sessions == ["e"]
    assert len(made.mounts.mounted) == 2
    await made.volumes.tear_down("uid-c")
    assert made.remains() == []


async def test_a_new_agent_needs_no_objects(made: Machine) -> None:
    await made.set_up(A, B)
    made.agent()
    await made.volumes.tear_down(A)
    assert made.network.sessions == ["e"], "the other pod's record is on disk"
    made.agent()
    await made.volumes.tear_down(B)
    assert made.remains() == []


async def test_killed_between_any_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are effects as well: each is written or removed before the kill, or not."""
    points = []
    for left in itertools.count(0):
        made = Machine(tmp_path / str(left))
        with monkeypatch.context() as patch:
            effects = [(records, "write"), (staging, "remove")]
            effects += [(module, "remove_tree") for module in (records, staging, pod_volumes)]
            for module, name in effects:
                patch.setattr(module, name, _counted(made, getattr(module, name), name))
            made.left = left
            try:
                await made.life()
            except Killed:
                points.append((made.steps or ["nothing"])[-1])
            else:
                break
        made.left = 1_000
        made.agent()
        for uid in made.volumes.uids():
            await made.volumes.tear_down(uid)
        await made.volumes.reconcile()
        assert made.remains() == [], f"killed after {points[-1]} ({left} steps)"
        made.agent()
        await made.life()
        assert made.remains() == []
    assert {"nothing", "write", "log in", "mount globally", "mount for the pod", "log out"} <= set(points)


async def test_a_pod_that_lives_keeps_it_through_every_kill(tmp_path: Path) -> None:
    for left in range(4):
        made = Machine(tmp_path / str(left))
        made.left = left
        with pytest.raises(Killed) if left < 3 else pytest.MonkeyPatch.context():
            await made.set_up(A)
        made.left = 1_000
        made.agent()
        await made.volumes.reconcile()
        await made.set_up(A)
        assert made.network.sessions == ["e"]
        assert len(made.mounts.mounted) == 2
        await made.volumes.tear_down(A)
        assert made.remains() == []


async def test_what_cannot_be_unmounted_stays_with_its_record(
    made: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made.set_up(A)
    with monkeypatch.context() as patch:
        patch.setattr(made.mounts, "unmount", lambda _: None)
        with pytest.raises(OSError, match="is still mounted"):
            await made.volumes.tear_down(A)
    made.agent()
    await made.volumes.tear_down(A)
    assert made.remains() == []


async def test_a_record_nobody_can_read_is_no_obstacle(made: Machine) -> None:
    await made.set_up(A)
    (record,) = made.root.glob("pods/*/volume-records/v.json")
    record.write_text("{")
    made.agent()
    await made.volumes.tear_down(A)
    await made.volumes.reconcile()
    assert made.remains() == []


async def test_no_record_no_mount(made: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: what cannot be written down is not begun."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", full)
        with pytest.raises(MountFailure, match="No space left on device"):
            await made.set_up(A)
    assert made.remains() == []
    await made.set_up(A)
    await made.volumes.tear_down(A)
    assert made.remains() == []


def _counted(made: Machine, real: Any, name: str) -> Any:
    def effect(*arguments: Any) -> Any:
        made.network.step(name)
        return real(*arguments)

    return effect
