"""Measuring what pods hold: long trees, disks that do not answer, what the file system counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.kubelet.builders import make_pod
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kit.disk_usage import Usage
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction import usage as module
from wherry.kubelet.eviction.usage import LONGEST_LOOK_S, LONGEST_REST_S, Gauge
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.objects.meta import Object, name_of, uid_of

T = TypeVar("T")


class Scales:
    """What lies where, how long looking at each file of it takes, and the looks that were had."""

    def __init__(self) -> None:
        self.files = 0
        self.looks: list[float] = []

    def look(self, path: Path, limit_s: float) -> tuple[Usage, float]:
        if path.name != "v":
            return Usage(), 0.0
        self.looks.append(limit_s)
        takes_s = self.files / 100_000
        seen = min(self.files, int(limit_s * 100_000))
        return Usage(seen * 4096, seen, seen < self.files), min(takes_s, limit_s)


class HungDisk(DirectDisk):
    """A disk that does not answer for some pods."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()
        self.asked: list[str] = []

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        self.asked.append(key)
        if any(uid in key for uid in self.hangs):
            raise TimeoutError(key)
        return work()


class Made:
    """A gauge, and pods with a volume each that run."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime(self.clock)
        self.disk = HungDisk()
        self.config = KubeletConfig(
            node_name="n", node_ip="10.0.0.1", root_dir=tmp_path / "kubelet", log_dir=tmp_path / "logs"
        )
        self.gauge = Gauge(self.runtime, self.config, self.clock, self.disk)

    async def pod(self, uid: str, **spec: object) -> Object:
        volumes = [{"name": "v", "emptyDir": {}}]
        pod = make_pod({"name": "web"}, volumes=volumes, **spec)
        pod["metadata"] = {**pod["metadata"], "uid": uid, "name": uid}
        sandbox = SandboxSpec(name=name_of(pod), namespace="default", uid=uid)
        sandbox_id = await self.runtime.run_sandbox(sandbox)
        made = await self.runtime.create_container(
            sandbox_id, sandbox, ContainerSpec(name="web", attempt=0, image="i")
        )
        await self.runtime.start_container(made)
        return pod

    async def volume(self, pod: Object) -> Usage:
        uses = await self.gauge.measure([pod], disk_of=[uid_of(pod)])
        return uses[uid_of(pod)].volumes["v"]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.fixture
def scales(monkeypatch: pytest.MonkeyPatch) -> Scales:
    found = Scales()
    monkeypatch.setattr(module, "disk_usage", found.look)
    return found


async def test_a_tree_too_large_for_one_look_is_looked_at_longer_each_time(
    made: Made, scales: Scales
) -> None:
    """Else a million files would count as those of the first second for ever, and no limit would hold."""
    pod = await made.pod("a")
    scales.files = 500_000
    for _ in range(6):
        seen = await made.volume(pod)
        await made.clock.advance(10)
    assert scales.looks == [1.0, 2.0, 4.0, 8.0], "and then it rests"
    assert (seen.inodes, seen.is_least) == (500_000, False)
    await made.clock.advance(1000)
    await made.volume(pod)
    assert scales.looks[4:] == [8.0]


async def test_a_tree_without_end_costs_a_bounded_time(made: Made, scales: Scales) -> None:
    pod = await made.pod("a")
    scales.files = 1 << 40
    for _ in range(int(LONGEST_REST_S * 3 / 10)):
        seen = await made.volume(pod)
        await made.clock.advance(10)
    assert seen.is_least
    assert max(scales.looks) == LONGEST_LOOK_S
    assert len(scales.looks) <= 4 + 3, "one in twenty minutes, after the first ones"


async def test_a_disk_that_does_not_answer_concerns_its_pod_alone(made: Made, scales: Scales) -> None:
    scales.files = 5
    hung, other = await made.pod("hung"), await made.pod("other")
    made.disk.hangs.add("hung")
    uses = await made.gauge.measure([hung, other], disk_of=["hung", "other"])
    assert uses.keys() == {"other"}
    assert uses["other"].volumes["v"].inodes == 5
    made.disk.asked.clear()
    await made.gauge.measure([hung, other], disk_of=["hung", "other"])
    assert made.disk.asked == ["usage of pod other"], "it is left alone for a while"
    made.disk.hangs.clear()
    await made.clock.advance(401)
    assert (await made.volume(hung)).inodes == 5


async def test_what_the_file_system_counts_is_believed_of_pods_with_their_own_users(
    made: Made, scales: Scales, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others can give their files another project, and so hide them."""
    scales.files = 5
    monkeypatch.setattr(module, "counted_usage", lambda _: Usage(1 << 30, 1000))
    own, others = await made.pod("a", hostUsers=False), await made.pod("b")
    assert await made.volume(own) == Usage(1 << 30, 1000)
    assert not scales.looks
    assert (await made.volume(others)).inodes == 5


async def test_where_nothing_is_counted_the_tree_is_looked_at(
    made: Made, scales: Scales, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales.files = 5

    def fails(_: Path) -> Usage | None:
        raise PermissionError

    pod = await made.pod("a", hostUsers=False)
    for counted in (fails, lambda _: None):
        monkeypatch.setattr(module, "counted_usage", counted)
        assert (await made.volume(pod)).inodes == 5


async def test_nothing_is_kept_of_pods_that_are_gone(made: Made, scales: Scales) -> None:
    for number in range(5):
        await made.volume(await made.pod(f"gone{number}"))
    await made.clock.advance(LONGEST_REST_S + 1)
    await made.volume(await made.pod("here"))
    assert all("here" in str(path) for path in made.gauge._known)
