"""What every pod of the node was given (`Allocations`; upstream's allocation manager and its checkpoints)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from wherry.kit.disk import Disk
from wherry.kit.path_names import one_name
from wherry.kubelet.allocation.conditions import ResizeStatus
from wherry.kubelet.allocation.progress import change_of
from wherry.kubelet.allocation.records import Record, read_records, write_record
from wherry.kubelet.allocation.sizes import Allocation, Fields, is_same_size
from wherry.kubelet.cgroups import pod_resources
from wherry.kubelet.observation import Observation
from wherry.kubelet.pod import init_containers, regular_containers, spec_of, status_of
from wherry.kubelet.runtimes.containers import Container, Phase, Resources
from wherry.objects.meta import Object, uid_of

SAVE_TIMEOUT_S = 30.0
RESOURCES = "io.kubernetes.container.resources"
"""Annotation on a container: the `resources` it was started with."""


@dataclass(slots=True)
class _Entry:
    record: Record
    status: ResizeStatus
    applied: tuple[Object, Object] | None = None
    """The pod as last asked for, and as it was allocated."""
    figures: tuple[Object, Resources] | None = None
    """The allocated pod last asked about, and the figures of its cgroup."""
    coming: Allocation | None = None
    """What it is being given: it counts already, but nothing goes by it before it is written."""


class Allocations:
    """Kept in memory; a pod's record is written in its directory below `pods_dir`."""

    def __init__(self, pods_dir: Path, disk: Disk) -> None:
        self._pods_dir = pods_dir
        self._disk = disk
        self._entries: dict[str, _Entry] = {}
        self._read: dict[str, Record] = {}

    async def load(self) -> None:
        """Read what an agent before this one wrote. Raises OSError when it takes too long."""

        def read() -> dict[str, Record]:
            return dict(read_records(self._pods_dir))

        self._read = await self._disk.run("allocations", read, SAVE_TIMEOUT_S)

    def all_admitted(self) -> None:
        """All pods of this node were admitted: of what was read nobody else is left."""
        self._read.clear()

    def admit(self, pod: Object) -> None:
        """The pod is on this node: what it was given before holds on, else it is given what it asks for."""
        uid = uid_of(pod)
        if uid in self._entries:
            return
        record = self._read.pop(uid, None)
        if record is None:
            limits = pod_resources(pod) if status_of(pod).get("containerStatuses") else None
            record = Record(Allocation.of(pod), whole=spec_of(pod).get("resources"), limits=limits)
        status = ResizeStatus.read(status_of(pod).get("conditions") or ())
        self._entries[uid] = _Entry(record, status)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._entries.pop(uid, None)

    def allocated(self, pod: Object) -> Object:
        """The pod with what it was given; the very `pod` where that is what it asks for."""
        entry = self._entries.get(uid_of(pod))
        if entry is None:
            return pod
        if entry.applied is None or entry.applied[0] is not pod:
            entry.applied = (pod, entry.record.allocation.applied(pod))
        return entry.applied[1]

    def counted(self, pod: Object) -> Object:
        """The pod with what it takes from others: what it was given, or is just being given."""
        entry = self._entries.get(uid_of(pod))
        if entry is None or entry.coming is None:
            return self.allocated(pod)
        return entry.coming.applied(pod)

    async def give(self, uid: str, allocation: Allocation) -> None:
        """Give the pod something else, once that is written. Raises OSError."""
        entry = self._entries[uid]
        entry.coming = allocation
        try:
            await self._write(uid, replace(entry.record, allocation=allocation))
            entry.record.allocation, entry.applied = allocation, None
        finally:
            entry.coming = None

    def status(self, uid: str) -> ResizeStatus:
        """How the pod's resize stands. Raises KeyError for a pod that was never admitted."""
        return self._entries[uid].status

    def find_status(self, uid: str) -> ResizeStatus | None:
        """How the pod's resize stands, None for a pod that is not there."""
        entry = self._entries.get(uid)
        return entry.status if entry is not None else None

    def statuses(self) -> list[ResizeStatus]:
        """How the resizes of all pods stand."""
        return [entry.status for entry in self._entries.values()]

    async def save(self, uid: str) -> None:
        """Write the pod's record as it is now. Raises OSError."""
        entry = self._entries.get(uid)
        if entry is not None:
            await self._write(uid, entry.record)

    async def _write(self, uid: str, record: Record) -> None:
        kept = replace(record, actuated=dict(record.actuated))
        write = partial(write_record, self._pods_dir / one_name(uid), kept)
        await self._disk.run(f"allocation of pod {uid}", write, SAVE_TIMEOUT_S)

    def actual(self, uid: str, spec: Object, container: Container) -> Mapping[str, Any]:
        """The `resources` a running container was last given.

        One that was started by an agent that did not note it has what the pod was given.
        """
        entry = self._entries.get(uid)
        if entry is not None and (known := entry.record.actuated.get(container.id)) is not None:
            return known
        noted = container.annotations.get(RESOURCES)
        if noted is None:
            return spec.get("resources") or {}
        found: dict[str, Any] = json.loads(noted)
        return found

    def actuate(self, uid: str, container_id: str, resources: Fields) -> None:
        """A running container was given these."""
        entry = self._entries.get(uid)
        if entry is not None:
            entry.record.actuated[container_id] = resources

    def actuate_pod(self, pod: Object, seen: Collection[str] | None = None) -> None:
        """The pod's cgroup has what the allocated `pod` asks for; only containers `seen` are remembered."""
        entry = self._entries.get(uid_of(pod))
        if entry is None:
            return
        record = entry.record
        record.whole, record.limits = spec_of(pod).get("resources"), pod_resources(pod)
        if seen is not None:
            record.actuated = {name: value for name, value in record.actuated.items() if name in seen}

    def whole(self, uid: str) -> Fields | None:
        """The `resources` of the pod as a whole that were put into effect."""
        entry = self._entries.get(uid)
        return entry.record.whole if entry is not None else None

    def limits(self, uid: str) -> Resources | None:
        """The figures the pod's cgroup was given, None before it was made."""
        entry = self._entries.get(uid)
        return entry.record.limits if entry is not None else None

    def has_other_limits(self, pod: Object) -> bool:
        """Whether the pod's cgroup is still to be given what the allocated `pod` asks for."""
        entry = self._entries.get(uid_of(pod))
        if entry is None or entry.record.limits is None:
            return False
        if entry.figures is None or entry.figures[0] is not pod:
            entry.figures = (pod, pod_resources(pod))
        record = entry.record
        is_same = is_same_size(record.whole, spec_of(pod).get("resources"))
        return record.limits != entry.figures[1] or not is_same

    def is_under_way(self, pod: Object, seen: Observation) -> bool:
        """Whether anything that runs of the allocated `pod` is another size than it was given."""
        if not seen.running():
            return False
        uid = uid_of(pod)

        def actual(spec: Object, container: Container) -> Mapping[str, Any]:
            return self.actual(uid, spec, container)

        for spec in (*init_containers(pod), *regular_containers(pod)):
            current = seen.current(spec["name"])
            if current is not None and current.phase is Phase.RUNNING and change_of(spec, current, actual):
                return True
        return self.has_other_limits(pod)
