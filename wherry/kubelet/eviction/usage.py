"""What pods use of the node: memory as the runtime says, disk by looking, process ids by cgroups.

Looking at a tree costs as much as it has files. It is done in a thread and for a bounded time (what was
counted until then is the least it can be), and a tree that took long is left alone for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.disk_usage import Usage, disk_usage
from wherry.kubelet.cgroups import pod_cgroup
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.pod import spec_of
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.usage import ContainerUsage, Meter
from wherry.kubelet.volumes.catalog import find_plugin
from wherry.objects.meta import Object, name_of, namespace_of, uid_of

LOOK_S = 1.0
"""How long one tree may be looked at."""
MEASURE_TIMEOUT_S = 60.0
"""All trees of a pod, on a disk that hardly answers."""
REST = 200
"""A tree is left alone for so many times as long as looking at it took: half a percent of a processor."""


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """What one container uses: memory in bytes, its writable layer and its logs."""

    memory: int = 0
    layer: Usage = field(default_factory=Usage)
    logs: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class PodUse:
    """What one pod uses: its containers, its volumes on the node's disk, its own files, process ids."""

    containers: Mapping[str, ContainerUse] = field(default_factory=dict)
    volumes: Mapping[str, Usage] = field(default_factory=dict)
    files: Usage = field(default_factory=Usage)
    pids: int = 0

    @property
    def memory(self) -> int:
        """Memory of all containers, in bytes."""
        return sum(container.memory for container in self.containers.values())

    @property
    def layers(self) -> Usage:
        """The writable layers of all containers."""
        return sum((container.layer for container in self.containers.values()), Usage())

    @property
    def local(self) -> Usage:
        """Logs, volumes and the pod's own files: what lies on the node's disk, wherever layers are."""
        logs = sum((container.logs for container in self.containers.values()), Usage())
        return sum(self.volumes.values(), logs + self.files)


Uses = Mapping[str, PodUse]
"""By the pod's uid. A pod that runs nothing is not in it."""


def local_volumes(pod: Mapping[str, Any]) -> list[Object]:
    """The volumes whose content lies on the node's disk (upstream's `IsLocalEphemeralVolume`)."""
    return [
        volume
        for volume in spec_of(pod).get("volumes") or ()
        if "configMap" in volume or ("emptyDir" in volume and not (volume["emptyDir"] or {}).get("medium"))
    ]


class Gauge:
    """Measures what pods use."""

    def __init__(self, runtime: Runtime, config: KubeletConfig, clock: Clock, disk: Disk) -> None:
        self._runtime = runtime
        self._config = config
        self._clock = clock
        self._disk = disk
        self._known: dict[Path, tuple[Usage, float]] = {}

    async def measure(self, pods: Sequence[Object], *, disk_of: Iterable[str], pids: bool = False) -> Uses:
        """What `pods` use; disk only of those whose uid is in `disk_of`, process ids if asked for.

        Raises RuntimeFailure, OSError.
        """
        if not isinstance(self._runtime, Meter):
            raise RuntimeFailure("the runtime does not tell what containers use")
        reported: dict[str, list[ContainerUsage]] = {}
        for usage in await self._runtime.usage():
            reported.setdefault(usage.pod_uid, []).append(usage)
        wanted = set(disk_of)
        running = [pod for pod in pods if uid_of(pod) in reported]
        self._forget(pods)
        uses = {}
        for pod in running:
            uid = uid_of(pod)
            measure = partial(self._measure, pod, reported[uid], disk=uid in wanted, pids=pids)
            uses[uid] = await self._disk.run(f"usage of pod {uid}", measure, MEASURE_TIMEOUT_S)
        return uses

    def _measure(self, pod: Object, reported: Sequence[ContainerUsage], *, disk: bool, pids: bool) -> PodUse:
        config, uid = self._config, uid_of(pod)
        logs = config.pod_log_dir(namespace_of(pod), name_of(pod), uid)
        root = config.pod_dir(uid)
        return PodUse(
            containers={
                usage.name: ContainerUse(
                    usage.memory_working_set_bytes,
                    Usage(usage.disk_bytes, usage.disk_inodes),
                    self._look(logs / usage.name) if disk else Usage(),
                )
                for usage in reported
            },
            volumes={v["name"]: self._look(_directory(root, v)) for v in local_volumes(pod)} if disk else {},
            files=self._look(root / "etc-hosts") + self._look(root / "containers") if disk else Usage(),
            pids=self._pids(pod) if pids else 0,
        )

    def _look(self, path: Path) -> Usage:
        """What lies at `path`; of a large tree, what lay there a while ago."""
        now = self._clock.monotonic()
        known, until = self._known.get(path, (Usage(), 0.0))
        if now < until:
            return known
        usage, took_s = disk_usage(path, LOOK_S)
        self._known[path] = (usage, now + took_s * REST)
        return usage

    def _forget(self, pods: Sequence[Object]) -> None:
        """Keep nothing of pods that are gone."""
        roots = {self._config.pod_dir(uid_of(pod)) for pod in pods}
        roots |= {self._config.pod_log_dir(namespace_of(p), name_of(p), uid_of(p)) for p in pods}
        for path in [path for path in self._known if roots.isdisjoint(path.parents)]:
            del self._known[path]

    def _pids(self, pod: Object) -> int:
        path = pod_cgroup(self._config.cgroup_root, pod).strip("/")
        for mount in (self._config.cgroup_mount / "pids", self._config.cgroup_mount):
            try:
                return int((mount / path / "pids.current").read_text())
            except (OSError, ValueError):
                continue
        return 0


def _directory(pod_dir: Path, volume: Mapping[str, Any]) -> Path:
    name: str = volume["name"]
    return pod_dir / "volumes" / find_plugin(volume).directory_name / name
