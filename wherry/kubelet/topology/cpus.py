"""The static CPU manager: containers of Guaranteed pods that ask for whole processors have them alone.

All others share what is left. Source: pkg/kubelet/cm/cpumanager/policy_static.go, with its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology import settings as names
from wherry.kubelet.topology.assignment import CpuSet, Manner, TooFew, take_cpus
from wherry.kubelet.topology.checkpoints import CheckpointError
from wherry.kubelet.topology.cpu_set import parse_cpus, show_cpus
from wherry.kubelet.topology.hints import AdmissionRefused, Affinities, Hints, TopologyHint, unexpected
from wherry.kubelet.topology.layout import Processors
from wherry.kubelet.topology.requests import containers_of, is_passing, own_cpus, pod_total
from wherry.kubelet.topology.settings import ManagerSettings, SettingsError, check_cpus
from wherry.objects.meta import uid_of

SMT = "SMTAlignmentError"
FILE = "cpu_manager_state"
NOTHING: CpuSet = frozenset()


def no_state(policy: str) -> dict[str, Any]:
    """What is written where nothing is given out."""
    return {"policyName": policy, "defaultCpuSet": ""}


class CpuManager:
    """What is given out is in memory; `state()` is what to write of it, `changes` counts what changed.

    `reserved_millis` is what is kept from pods altogether. Raises SettingsError, CheckpointError (when
    `written`, what an agent before this one wrote, does not fit).
    """

    def __init__(
        self,
        settings: ManagerSettings,
        processors: Processors,
        reserved_millis: int,
        affinities: Affinities,
        metrics: KubeletMetrics,
        written: Mapping[str, Any] | None = None,
    ) -> None:
        check_cpus(settings, processors)
        self._options = settings.cpu_options
        self._processors = processors
        self._affinities = affinities
        self._metrics = metrics
        self._manner = Manner(
            spread=names.CORES in self._options,
            by_cache=names.UNCORE in self._options,
            distribute=names.DISTRIBUTE in self._options,
            group=processors.per_core if names.FULL in self._options else 1,
        )
        self.reserved = self._reserve(settings, reserved_millis)
        self._start = processors.all - (self.reserved if names.STRICT in self._options else NOTHING)
        self._shared = self._start
        self._given: dict[str, dict[str, CpuSet]] = {}
        self._reusable: tuple[str, CpuSet] = ("", NOTHING)
        """What init containers of the pod that is being given its processors had."""
        self.changes = 0
        if written is not None:
            self._restore(written)
        self._count()

    def _count(self) -> None:
        self._metrics.cpu_shared_millis.set(len(self._shared) * 1000)
        own = [cpus for containers in self._given.values() for cpus in containers.values()]
        self._metrics.cpu_exclusive.set(len(NOTHING.union(*own)))

    def _changed(self) -> None:
        self.changes += 1
        self._count()

    def _reserve(self, settings: ManagerSettings, reserved_millis: int) -> CpuSet:
        if settings.reserved_cpus is not None:
            if not settings.reserved_cpus <= self._processors.all:
                online = show_cpus(self._processors.all)
                reserved = show_cpus(settings.reserved_cpus)
                raise SettingsError(f"reserved-cpus: {reserved} is not a subset of online-cpus: {online}")
            return settings.reserved_cpus
        if reserved_millis <= 0:
            raise SettingsError(
                "[cpumanager] the static policy requires systemreserved.cpu + kubereserved.cpu to be "
                "greater than zero"
            )
        number = -(-reserved_millis // 1000)
        try:
            return take_cpus(self._processors, self._processors.all, number, self._manner)
        except TooFew:
            raise SettingsError(
                f"[cpumanager] unable to reserve the required amount of CPUs (size of  did not equal "
                f"{number})"
            ) from None

    def _restore(self, written: Mapping[str, Any]) -> None:
        try:
            shared = parse_cpus(written.get("defaultCpuSet") or "")
            given = {
                uid: {name: parse_cpus(cpus) for name, cpus in containers.items()}
                for uid, containers in (written.get("entries") or {}).items()
            }
        except (ValueError, AttributeError) as error:
            raise CheckpointError(f"could not parse cpuset: {error}") from error
        if not shared and not given:
            return
        if not shared and names.STRICT not in self._options:
            raise CheckpointError("default cpuset cannot be empty")
        self._check(shared, given)
        self._shared, self._given = shared, given

    def _check(self, shared: CpuSet, given: Mapping[str, Mapping[str, CpuSet]]) -> None:
        reserved, there = f'"{show_cpus(self.reserved)}"', f'"{show_cpus(shared)}"'
        if names.STRICT in self._options:
            if self.reserved & shared:
                why = f"some of strictly reserved cpus: {reserved} are present in defaultCpuSet: {there}"
                raise CheckpointError(why)
        elif not self.reserved <= shared:
            raise CheckpointError(f"not all reserved cpus: {reserved} are present in defaultCpuSet: {there}")
        known = shared
        for uid, containers in given.items():
            for name, cpus in containers.items():
                if cpus & shared:
                    where = f'pod: {uid}, container: {name} cpuset: "{show_cpus(cpus)}"'
                    raise CheckpointError(f"{where} overlaps with default cpuset {there}")
                known |= cpus
        if known != self._start:
            now = f'current set of available CPUs "{show_cpus(self._start)}"'
            raise CheckpointError(f'{now} doesn\'t match with CPUs in state "{show_cpus(known)}"')

    def state(self) -> dict[str, Any]:
        """What to write of what was given out."""
        entries = {
            uid: {name: show_cpus(cpus) for name, cpus in sorted(containers.items())}
            for uid, containers in sorted(self._given.items())
        }
        shown: dict[str, Any] = {"policyName": names.CPU_STATIC, "defaultCpuSet": show_cpus(self._shared)}
        return {**shown, "entries": entries} if entries else shown

    @property
    def shared(self) -> CpuSet:
        """The processors of all that have none for themselves."""
        return self._shared

    @property
    def available(self) -> CpuSet:
        """The processors that can still be given out."""
        return self._shared - self.reserved

    @property
    def allocatable(self) -> CpuSet:
        """The processors that can be given out, or are."""
        return self._processors.all - self.reserved

    def own(self, uid: str, container: str) -> CpuSet:
        """The processors a container has for itself; none if it shares."""
        return self._given.get(uid, {}).get(container, NOTHING)

    def uids(self) -> set[str]:
        """The pods that have processors for themselves."""
        return set(self._given)

    def cpus(self, uid: str, container: str) -> CpuSet:
        """The processors a container runs on."""
        return self.own(uid, container) or self._shared

    def hints(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Hints:
        """See HintProvider."""
        number = own_cpus(pod, container)
        if not number:
            return {}
        has = self._given.get(uid_of(pod), {}).get(container["name"])
        if has is not None:
            return {"cpu": self._hints(has, NOTHING, number) if len(has) == number else []}
        return {"cpu": self._hints(self.available, self._reuse(uid_of(pod)), number)}

    def pod_hints(self, pod: Mapping[str, Any]) -> Hints:
        """See HintProvider."""
        asked = {one["name"]: own_cpus(pod, one) for one in containers_of(pod)}
        number = pod_total(pod, asked)
        if not number:
            return {}
        given = self._given.get(uid_of(pod), {})
        if any(len(cpus) != asked.get(name, 0) for name, cpus in given.items()):
            return {"cpu": []}
        has = NOTHING.union(*given.values())
        if len(has) == number:
            return {"cpu": self._hints(has, NOTHING, number)}
        return {"cpu": self._hints(self.available, self._reuse(uid_of(pod)) | has, number)}

    def _reuse(self, uid: str) -> CpuSet:
        return self._reusable[1] if self._reusable[0] == uid else NOTHING

    def _hints(self, free: CpuSet, reusable: CpuSet, number: int) -> list[TopologyHint]:
        """Every set of NUMA nodes that has `number` processors, and holds all that are used again."""
        processors = self._processors
        by_number = processors.by_number
        least = len(processors.nodes)
        found = []
        needed = {by_number[cpu].node for cpu in reusable}
        ready = {node: len((free | reusable) & processors.on_nodes([node])) for node in processors.nodes}
        there = {node: len(processors.on_nodes([node])) for node in processors.nodes}
        for size in range(1, len(processors.nodes) + 1):
            for nodes in combinations(sorted(processors.nodes), size):
                if sum(there[node] for node in nodes) >= number:
                    least = min(least, size)
                if needed <= set(nodes) and sum(ready[node] for node in nodes) >= number:
                    found.append(frozenset(nodes))
        return [TopologyHint(nodes, self._is_preferred(nodes, least)) for nodes in found]

    def _is_preferred(self, nodes: frozenset[int], least: int) -> bool:
        if len(nodes) == least:
            return True
        per_socket = len(self._processors.nodes) // len(self._processors.sockets)
        if names.SOCKET not in self._options or per_socket == 0:
            return False
        return len(self._processors.sockets_of(nodes)) == -(-least // per_socket)

    def allocate(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        """See HintProvider."""
        number, uid, name = own_cpus(pod, container), uid_of(pod), container["name"]
        if not number:
            return
        has = self._given.get(uid, {}).get(name)
        if has is None:
            self._metrics.cpu_pinning_requests.inc()
            try:
                has = self._give(uid, name, number)
            except AdmissionRefused:
                self._metrics.cpu_pinning_errors.inc()
                raise
        before = self._reuse(uid)
        self._reusable = (uid, before | has if is_passing(pod, name) else before - has)

    def _give(self, uid: str, name: str, number: int) -> CpuSet:
        self._require_whole_cores(number)
        free = self.available | self._reuse(uid)
        nodes = self._affinities.affinity(uid, name).nodes
        try:
            taken = NOTHING
            if nodes is not None:
                near = free & self._near(nodes)
                taken = take_cpus(self._processors, near, min(number, len(near)), self._manner)
            rest = number - len(taken)
            taken |= take_cpus(self._processors, free - taken, rest, self._manner)
        except TooFew as error:
            raise unexpected(error) from None
        self._given.setdefault(uid, {})[name] = taken
        self._shared -= taken
        self._changed()
        return taken

    def _near(self, nodes: frozenset[int]) -> CpuSet:
        processors = self._processors
        if names.SOCKET in self._options:
            return processors.on_sockets(processors.sockets_of(nodes))
        return processors.on_nodes(nodes)

    def _require_whole_cores(self, number: int) -> None:
        per_core = self._processors.per_core
        if names.FULL not in self._options:
            return
        if number % per_core:
            why = f"requested {number} cpus not multiple cpus per core = {per_core}"
            raise AdmissionRefused(SMT, f"SMT Alignment Error: {why}")
        there = len(self._shared - self._processors.whole_cores(self.reserved))
        if number > there:
            why = f"not enough free physical CPUs: available physical CPUs = {there}, "
            raise AdmissionRefused(
                SMT, f"SMT Alignment Error: {why}requested CPUs = {number}, CPUs per core = {per_core}"
            )

    def release(self, uid: str) -> None:
        """The pod is gone: what it had is shared again."""
        given = self._given.pop(uid, None)
        if given is not None:
            self._shared |= NOTHING.union(*given.values())
            self._changed()
        if self._reusable[0] == uid:
            self._reusable = ("", NOTHING)
