"""What pods use of the node: memory as the runtime says, disk by looking, process ids by cgroups.

What the file system counts by itself (`volumes/projects`) costs a system call. Else looking at a tree costs
as much as it has files. It is done in a thread and for a bounded time: what was counted until then is the
least it can be, and the tree is looked at for longer the next time. One that took long is left alone for a
while, and so is a pod whose disk does not answer: of it alone nothing is known then.
"""

from __future__ import annotations

import logging
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
from wherry.kubelet.pod import has_own_users, spec_of
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.usage import ContainerUsage, Meter
from wherry.kubelet.volumes.catalog import find_plugin
from wherry.kubelet.volumes.projects import counted_usage
from wherry.objects.meta import Object, key_of, name_of, namespace_of, uid_of

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How long one tree may be looked at; one that was too large for that, twice as long each time."""
LONGEST_LOOK_S = 8.0
"""Some millions of files."""
POD_LOOK_S = 10.0
"""All trees of a pod together, in one round."""
MEASURE_TIMEOUT_S = 20.0
"""All trees of a pod, on a disk that hardly answers."""
REST = 200
"""A tree is left alone for so many times as long as looking at it took: half a percent of a processor."""
LONGEST_REST_S = 1200.0
"""cAdvisor's `defaultFsMaxBackoff`: 20 times the minute between two looks."""


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


@dataclass(frozen=True, slots=True)
class _Look:
    """What lay in a tree, until when it is left alone, and how long the next look may take, in seconds."""

    usage: Usage = field(default_factory=Usage)
    until: float = 0.0
    limit_s: float = LOOK_S

    def next(self, usage: Usage, took_s: float, now: float) -> _Look:
        """After a look at `now` that found `usage`."""
        if usage.is_least and self.limit_s < LONGEST_LOOK_S:  # too short a look: no rest before a longer one
            return _Look(usage, now, min(self.limit_s * 2, LONGEST_LOOK_S))
        return _Look(usage, now + min(took_s * REST, LONGEST_REST_S), self.limit_s)


class Gauge:
    """Measures what pods use."""

    def __init__(self, runtime: Runtime, config: KubeletConfig, clock: Clock, disk: Disk) -> None:
        self._runtime = runtime
        self._config = config
        self._clock = clock
        self._disk = disk
        self._known: dict[Path, _Look] = {}
        self._resting: dict[str, float] = {}

    async def measure(self, pods: Sequence[Object], *, disk_of: Iterable[str], pids: bool = False) -> Uses:
        """What `pods` use; disk only of those whose uid is in `disk_of`, process ids if asked for.

        A pod whose disk does not answer is left out. Raises RuntimeFailure, OSError.
        """
        if not isinstance(self._runtime, Meter):
            raise RuntimeFailure("the runtime does not tell what containers use")
        reported: dict[str, list[ContainerUsage]] = {}
        for usage in await self._runtime.usage():
            reported.setdefault(usage.pod_uid, []).append(usage)
        wanted = set(disk_of)
        now = self._clock.monotonic()
        self._resting = {uid: until for uid, until in self._resting.items() if now < until}
        running = [pod for pod in pods if uid_of(pod) in reported and uid_of(pod) not in self._resting]
        self._forget(now)
        uses = {}
        for pod in running:
            uid = uid_of(pod)
            measure = partial(self._measure, pod, reported[uid], disk=uid in wanted, pids=pids)
            try:
                uses[uid] = await self._disk.run(f"usage of pod {uid}", measure, MEASURE_TIMEOUT_S)
            except TimeoutError as error:
                log.warning("what pod %s uses is not known, its disk does not answer: %s", key_of(pod), error)
                self._resting[uid] = self._clock.monotonic() + MEASURE_TIMEOUT_S * REST / 10
        return uses

    def _measure(self, pod: Object, reported: Sequence[ContainerUsage], *, disk: bool, pids: bool) -> PodUse:
        config, uid = self._config, uid_of(pod)
        logs = config.pod_log_dir(namespace_of(pod), name_of(pod), uid)
        root = config.pod_dir(uid)
        looks = _Looks(self._known, self._clock, POD_LOOK_S, is_counted=has_own_users(pod))
        return PodUse(
            containers={
                usage.name: ContainerUse(
                    usage.memory_working_set_bytes,
                    Usage(usage.disk_bytes, usage.disk_inodes),
                    looks.at(logs / usage.name) if disk else Usage(),
                )
                for usage in reported
            },
            volumes={v["name"]: looks.volume(_directory(root, v)) for v in local_volumes(pod)}
            if disk
            else {},
            files=looks.at(root / "etc-hosts") + looks.at(root / "containers") if disk else Usage(),
            pids=self._pids(pod) if pids else 0,
        )

    def _forget(self, now: float) -> None:
        """Keep nothing that nobody asked for in a long time: pods that are gone are among it."""
        for path, look in list(self._known.items()):  # threads add to it meanwhile
            if look.until + LONGEST_REST_S < now:
                self._known.pop(path, None)

    def _pids(self, pod: Object) -> int:
        path = pod_cgroup(self._config.cgroup_root, pod).strip("/")
        for mount in (self._config.cgroup_mount / "pids", self._config.cgroup_mount):
            try:
                return int((mount / path / "pids.current").read_text())
            except (OSError, ValueError):
                continue
        return 0


class _Looks:
    """The looks at one pod's trees in one round, `left_s` seconds together.

    `is_counted` tells that what the file system counts can be believed.
    """

    def __init__(self, known: dict[Path, _Look], clock: Clock, left_s: float, *, is_counted: bool) -> None:
        self._known = known
        self._clock = clock
        self._left_s = left_s
        self._is_counted = is_counted

    def volume(self, path: Path) -> Usage:
        """What a volume holds: as counted, or by looking."""
        if self._is_counted:
            try:
                counted = counted_usage(path)
            except OSError as error:
                log.debug("%s is looked at, nothing is counted: %s", path, error)
            else:
                if counted is not None:
                    return counted
        return self.at(path)

    def at(self, path: Path) -> Usage:
        """What lies at `path`; of a large tree, what lay there a while ago."""
        now = self._clock.monotonic()
        known = self._known.get(path, _Look())
        if now < known.until or self._left_s <= 0:
            return known.usage
        usage, took_s = disk_usage(path, min(known.limit_s, self._left_s))
        self._left_s -= took_s
        self._known[path] = known.next(usage, took_s, now)
        return usage


def _directory(pod_dir: Path, volume: Mapping[str, Any]) -> Path:
    name: str = volume["name"]
    return pod_dir / "volumes" / find_plugin(volume).directory_name / name
