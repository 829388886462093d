"""The order in which limits are set, and what is refused; the pod's cgroup is files in a directory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.kubelet.builders import NOW, make_pod, running, seen
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.allocation.allocations import Allocations
from wherry.kubelet.allocation.progress import Change, change_of
from wherry.kubelet.cgroups import PodCgroups
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.runtimes.containers import Resources
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.usage import ContainerUsage
from wherry.kubelet.topology.managers import Managers
from wherry.kubelet.workers.context import WorkerContext
from wherry.kubelet.workers.resizer import Resizer
from wherry.objects.meta import Object

MI = 1 << 20
V1 = {
    "cpu/cpu.shares": "102",
    "cpu/cpu.cfs_quota_us": "50000",
    "cpu/cpu.cfs_period_us": "100000",
    "memory/memory.limit_in_bytes": str(128 * MI),
    "memory/memory.usage_in_bytes": str(10 * MI),
}
V2 = {
    "cpu.weight": "4",
    "cpu.max": "50000 100000",
    "memory.max": str(128 * MI),
    "memory.current": str(10 * MI),
}


def sized(cpu: str, cpu_limit: str, memory_limit: str) -> Object:
    return {
        "requests": {"cpu": cpu, "memory": "1Mi"},
        "limits": {"cpu": cpu_limit, "memory": memory_limit},
    }


SMALL = sized("100m", "500m", "128Mi")
LARGE = sized("200m", "1", "256Mi")


class Watched(FakeRuntime):
    """Notes what is changed of containers beside what is changed of the pod's cgroup."""

    def __init__(self, log: list[str]) -> None:
        super().__init__(FakeClock())
        self.log = log
        self.uses = {"web": 10 * MI, "db": 10 * MI}

    async def update_container(self, container_id: str, resources: Resources) -> None:
        self.log.append(f"{container_id} {'memory' if resources.memory_limit_bytes else 'cpu'}")

    async def usage(self) -> list[ContainerUsage]:
        names: dict[str, Any] = {"pod_name": "p", "pod_namespace": "ns", "pod_uid": "u1"}
        return [
            ContainerUsage(container_id=f"{name}-0", name=name, time=NOW, memory_usage_bytes=used, **names)
            for name, used in self.uses.items()
        ]


class Noted(PodCgroups):
    def __init__(self, mount: Path, log: list[str]) -> None:
        super().__init__(mount, "/pods")
        self.log = log

    def resize(self, pod: Any, limits: Resources) -> None:
        what = {
            "memory": limits.memory_limit_bytes,
            "quota": limits.cpu_quota_us,
            "shares": limits.cpu_shares,
        }
        self.log.append("pod " + " ".join(name for name, figure in what.items() if figure))
        super().resize(pod, limits)


def cgroup(mount: Path, version: str) -> Path:
    """A pod's cgroup with the figures of `SMALL`."""
    for name, text in (V1 if version == "v1" else V2).items():
        controller, _, file = name.rpartition("/")
        path = mount / controller / "pods/burstable/podu1" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if version == "v2":
        (mount / "cgroup.controllers").write_text("cpu memory")
    return mount


def pod(*resources: Object) -> Object:
    names = ("web", "db")
    containers = [
        {"name": name, "image": "i", "resources": r} for name, r in zip(names, resources, strict=False)
    ]
    return make_pod(*containers)


async def resize(mount: Path, asked: Object, *has: Object) -> tuple[list[str], str, Allocations]:
    log: list[str] = []
    runtime = Watched(log)
    allocations = Allocations(mount / "record", DirectDisk())
    allocations.admit(asked)
    context = SimpleNamespace(
        runtime=runtime,
        cgroups=Noted(mount, log),
        allocations=allocations,
        disk=DirectDisk(),
        clock=FakeClock(),
        metrics=KubeletMetrics(),
        memory_bytes=4096 * MI,
        managers=Managers(
            KubeletConfig(node_name="n", node_ip="", root_dir=mount, log_dir=mount),
            DirectDisk(),
            FakeClock(),
            KubeletMetrics(),
        ),
    )
    changes: list[Change] = []
    for spec, actual in zip(asked["spec"]["containers"], has, strict=True):
        current = running(spec["name"])
        allocations.actuate("u1", current.id, actual)
        change = change_of(spec, current, lambda s, c: allocations.actual("u1", s, c))
        changes += [change] if change is not None else []
    there = seen(*(change.current for change in changes))
    error = await Resizer(cast(WorkerContext, context)).resize(asked, there, changes)
    return log, error, allocations


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_what_grows_grows_from_the_outside(tmp_path: Path, version: str) -> None:
    mount = cgroup(tmp_path, version)
    log, error, allocations = await resize(mount, pod(LARGE), SMALL)
    assert (log, error) == (
        ["pod memory", "web-0 memory", "pod quota", "pod shares", "web-0 cpu"],
        "",
    )
    limits = PodCgroups(mount, "/pods").limits(pod(LARGE))
    assert limits is not None
    assert (limits.cpu_quota_us, limits.memory_limit_bytes) == (100_000, 256 * MI)
    assert not allocations.is_under_way(pod(LARGE), seen(running("web")))


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_what_shrinks_shrinks_from_the_inside(tmp_path: Path, version: str) -> None:
    log, error, _ = await resize(cgroup(tmp_path, version), pod(sized("50m", "200m", "64Mi")), SMALL)
    assert (log, error) == (
        ["web-0 memory", "pod memory", "web-0 cpu", "pod shares", "pod quota"],
        "",
    )


async def test_who_shrinks_makes_room_for_who_grows(tmp_path: Path) -> None:
    mount = cgroup(tmp_path, "v1")
    log, _, _ = await resize(mount, pod(LARGE, sized("50m", "200m", "64Mi")), SMALL, SMALL)
    containers = [entry for entry in log if not entry.startswith("pod")]
    assert containers == ["db-0 memory", "web-0 memory", "db-0 cpu", "web-0 cpu"]


async def test_memory_that_is_used_stays(tmp_path: Path) -> None:
    mount = cgroup(tmp_path, "v1")
    small = sized("100m", "500m", "5Mi")
    log, error, allocations = await resize(mount, pod(small), SMALL)
    assert log == []
    assert error == (
        "cannot decrease memory limits: [attempting to set pod memory limit (5242880) below current usage "
        '(10485760), attempting to set container "web" memory limit (5242880) below current usage (10485760)]'
    )
    assert allocations.actual("u1", {}, running("web")) == SMALL


async def test_memory_nobody_measured_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Watched) -> list[ContainerUsage]:
        return []

    monkeypatch.setattr(Watched, "usage", nothing)
    log, error, _ = await resize(cgroup(tmp_path, "v1"), pod(sized("100m", "500m", "64Mi")), SMALL)
    assert log == []
    assert error == 'cannot decrease memory limits: missing memory usage of container "web"'


async def test_without_a_cgroup_of_its_own_only_containers_are_resized(tmp_path: Path) -> None:
    log, error, _ = await resize(tmp_path, pod(LARGE), SMALL)
    assert (log, error) == (["web-0 memory", "web-0 cpu"], "")
