"""Who gives out processors and memory on one node, put together: `Managers`.

What is given out is decided in memory when a pod is admitted, and written before any container is started by
it: an agent killed in between finds nothing, or what it had decided. What runs is given its processors again
whenever they change, and from time to time (pkg/kubelet/cm/cpumanager/cpu_manager.go, reconcileState).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kubelet.cgroups import qos_class
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.signals import MEMORY, thresholds
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.runtimes.containers import Containers, Phase, Resources
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.labels import POD_UID
from wherry.kubelet.topology import cpus as cpu_files
from wherry.kubelet.topology import memory as memory_files
from wherry.kubelet.topology.admission import Affinity, TopologyManager
from wherry.kubelet.topology.checkpoints import encode, read_checkpoint, write_checkpoint
from wherry.kubelet.topology.cpu_set import show_cpus
from wherry.kubelet.topology.cpus import CpuManager
from wherry.kubelet.topology.hints import AdmissionRefused, HintProvider
from wherry.kubelet.topology.layout import Layout
from wherry.kubelet.topology.memory import MemoryManager
from wherry.kubelet.topology.requests import containers_of
from wherry.kubelet.topology.settings import CPU_STATIC, MEMORY_STATIC
from wherry.objects.meta import Object, uid_of

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
NONE: frozenset[int] = frozenset()


@dataclass(slots=True)
class _File:
    """A manager's file: what it is called, what was last written of it."""

    name: str
    state: Callable[[], Mapping[str, Any]]
    changes: Callable[[], int]
    written: int = 0


class Managers:
    """The managers of one node; with the default policies there is nothing they give out."""

    def __init__(self, config: KubeletConfig, disk: Disk, clock: Clock, metrics: KubeletMetrics) -> None:
        self._config = config
        self._settings = config.managers
        self._disk = disk
        self._clock = clock
        self._metrics = metrics
        self._cpus: CpuManager | None = None
        self._memory: MemoryManager | None = None
        self._topology: TopologyManager | None = None
        self._affinity = Affinity()
        self._files: list[_File] = []
        self._saving = asyncio.Lock()
        self._given: dict[str, str] = {}
        """The processors running containers were last given, by id."""
        self.changed: Callable[[], None] = lambda: None
        """Called when what runs is to be given other processors."""

    async def load(
        self,
        read_layout: Callable[[], Layout],
        memory_bytes: int,
        others: Callable[[Layout], Sequence[HintProvider]] = lambda _layout: (),
    ) -> None:
        """Read the machine (of so much memory), and what an agent before this one wrote.

        `others` gives providers of more than processors and memory, who are asked first, as upstream does.
        Raises SettingsError, CheckpointError (the agent is not to start), OSError.
        """
        settings, root = self._settings, self._config.root_dir
        cpu_file, memory_file = root / cpu_files.FILE, root / memory_files.FILE

        def read() -> tuple[Any, Any]:
            return (
                read_checkpoint(cpu_file, settings.cpu_policy, "CPU"),
                read_checkpoint(memory_file, settings.memory_policy, "memory"),
            )

        cpu_state, memory_state = await self._disk.run("managers", read, TIMEOUT_S)
        cpu_is_static = settings.cpu_policy == CPU_STATIC
        memory_is_static = settings.memory_policy == MEMORY_STATIC
        if cpu_is_static or memory_is_static or settings.topology_policy != "none":
            layout = await self._disk.run("layout of the machine", read_layout, TIMEOUT_S)
            self._build(layout, memory_bytes, cpu_state, memory_state, others(layout))
        self._files = [
            _File(
                cpu_files.FILE,
                self._cpus.state
                if self._cpus is not None
                else partial(cpu_files.no_state, settings.cpu_policy),
                lambda: 1 + (self._cpus.changes if self._cpus is not None else 0),
                0 if cpu_state is None else 1,
            ),
            _File(
                memory_files.FILE,
                self._memory.state
                if self._memory is not None
                else partial(memory_files.no_state, settings.memory_policy),
                lambda: 1 + (self._memory.changes if self._memory is not None else 0),
                0 if memory_state is None else 1,
            ),
        ]
        await self.save()

    def _kept(self, memory_bytes: int) -> dict[str, int]:
        """What the node keeps from pods, in bytes by resource."""
        limit = thresholds(self._config).get(MEMORY)
        evicted = limit.of(memory_bytes) if limit is not None else 0
        return {"memory": self._config.reserved_memory_bytes + evicted}

    def _build(
        self,
        layout: Layout,
        memory_bytes: int,
        cpu_state: Any,
        memory_state: Any,
        others: Sequence[HintProvider],
    ) -> None:
        settings, affinity = self._settings, self._affinity
        if settings.cpu_policy == CPU_STATIC:
            self._cpus = CpuManager(
                settings,
                layout.processors,
                self._config.reserved_cpu_millis,
                affinity,
                self._metrics,
                cpu_state,
            )
        if settings.memory_policy == MEMORY_STATIC:
            self._memory = MemoryManager(
                settings, layout, self._kept(memory_bytes), affinity, self._metrics, memory_state
            )
        providers = [*others, *(one for one in (self._cpus, self._memory) if one is not None)]
        self._topology = TopologyManager(
            settings, layout, affinity, providers, self._metrics, self._clock.monotonic
        )

    def admit(self, pod: Object) -> tuple[str, str] | None:
        """Give the pod's containers what they ask for: (reason, message) why it cannot be, None if it is."""
        if self._topology is None:
            return None
        try:
            self._topology.admit(pod)
        except AdmissionRefused as refused:
            return refused.reason, f"Pod was rejected: {refused.message}"
        finally:
            self._tell()
        return None

    def near(self, uid: str, container: str) -> frozenset[int] | None:
        """The NUMA nodes a container was admitted to, None for any."""
        return self._affinity.affinity(uid, container).nodes

    def release(self, uid: str) -> None:
        """Nothing of the pod runs any more."""
        if self._topology is not None:
            self._topology.release(uid)
            self._tell()

    def keep_only(self, uids: Collection[str]) -> None:
        """All pods of the node are known: what others were given is free."""
        for manager in (self._cpus, self._memory):
            for uid in manager.uids() - set(uids) if manager is not None else ():
                self.release(uid)

    def _tell(self) -> None:
        if any(file.changes() != file.written for file in self._files):
            self.changed()

    async def save(self) -> None:
        """Write what was given out, if that changed. Raises OSError."""
        async with self._saving:
            for file in self._files:
                changes = file.changes()
                if changes != file.written:
                    write = partial(write_checkpoint, self._config.root_dir / file.name, encode(file.state()))
                    await self._disk.run(file.name, write, TIMEOUT_S)
                    file.written = changes

    def placed(self, uid: str, container: str, resources: Resources) -> Resources:
        """A container's limits with where it runs; one that has its processors alone has no quota of them."""
        if self._memory is not None:
            resources = replace(resources, memory_nodes=show_cpus(self._memory.nodes(uid, container)))
        if self._cpus is None:
            return resources
        own = self._cpus.own(uid, container)
        quota_us = 0 if own else resources.cpu_quota_us
        return replace(resources, cpus=show_cpus(own or self._cpus.shared), cpu_quota_us=quota_us)

    def without_quota(self, pod: Object, resources: Resources) -> Resources:
        """The limits of a pod as a whole: no quota if a container of it has processors alone."""
        if any(self.cpus(uid_of(pod), one["name"]) for one in containers_of(pod)):
            return replace(resources, cpu_quota_us=0)
        return resources

    def resize_obstacle(self, pod: Object, names: Collection[str]) -> tuple[str, str] | None:
        """(Text, detail for the metrics) why a pod cannot have other amounts of `names`, None if it can."""
        if qos_class(pod) != "Guaranteed":
            return None
        for name, manager, policy, there in (
            ("cpu", "CPU", CPU_STATIC, self._cpus),
            ("memory", "Memory", MEMORY_STATIC, self._memory),
        ):
            if name in names and there is not None:
                why = f'alongside {manager} Manager policy "{policy}"'
                return (
                    f"Resize is infeasible for Guaranteed Pods {why}",
                    f"guaranteed_pod_{name}_manager_static_policy",
                )
        return None

    async def reconcile(self, runtime: Containers) -> float | None:
        """Let everything that runs run where it is to. Raises RuntimeFailure, OSError."""
        await self.save()
        if self._cpus is None:
            return None
        running = [one for one in await runtime.containers() if one.phase is Phase.RUNNING]
        self._given = {one.id: self._given.get(one.id, "") for one in running}
        failures = []
        for one in running:
            wanted = show_cpus(self._cpus.cpus(one.labels.get(POD_UID, ""), one.name))
            if not wanted or self._given.get(one.id) == wanted:
                continue
            try:
                await runtime.update_container(one.id, Resources(cpus=wanted))
            except RuntimeFailure as error:
                failures.append(f"container {one.id}: {error}")
            else:
                self._given[one.id] = wanted
        if failures:
            raise RuntimeFailure(f"{len(failures)} keep their processors: {'; '.join(failures[:3])}")
        return self._settings.reconcile_s

    def cpus(self, pod_uid: str, container: str) -> frozenset[int]:
        """The processors a container has for itself."""
        return self._cpus.own(pod_uid, container) if self._cpus is not None else NONE

    def memory(self, pod_uid: str, container: str) -> list[tuple[str, int, Iterable[int]]]:
        """The memory that is kept for a container, as (kind, bytes, NUMA nodes)."""
        blocks = self._memory.blocks(pod_uid, container) if self._memory is not None else ()
        return [(block.kind, block.size, block.nodes) for block in blocks]

    def allocatable_cpus(self) -> frozenset[int]:
        """The processors containers can have for themselves."""
        return self._cpus.allocatable if self._cpus is not None else NONE

    def allocatable_memory(self) -> list[tuple[str, int, Iterable[int]]]:
        """The memory that can be kept for containers, as (kind, bytes, NUMA nodes)."""
        return self._memory.allocatable() if self._memory is not None else []
