"""The static memory manager: memory of Guaranteed pods comes from as few NUMA nodes as will do.

A node gives memory either alone or always together with the same others. Source:
pkg/kubelet/cm/memorymanager (memory_manager.go, policy_static.go), with its texts. The feature of Linux; the
policy BestEffort is of Windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology.hints import AdmissionRefused, Affinities, Hints, TopologyHint, unexpected
from wherry.kubelet.topology.layout import Layout, NumaNode, huge_page_name
from wherry.kubelet.topology.memory_state import Block, Table, decode, show_state
from wherry.kubelet.topology.requests import containers_of, is_passing, own_memory, pod_total
from wherry.kubelet.topology.settings import ManagerSettings, SettingsError
from wherry.objects.meta import uid_of
from wherry.objects.quantity import canonical_quantity

FILE = "memory_manager_state"
Nodes = frozenset[int]


def no_state(policy: str) -> dict[str, Any]:
    """What is written where nothing is given out."""
    return {"policyName": policy, "machineState": {}}


@dataclass(slots=True)
class _Node:
    """One NUMA node: its tables by resource, how often memory was given from it, and with which others."""

    tables: dict[str, Table]
    assignments: int = 0
    cells: tuple[int, ...] = ()


@dataclass(slots=True)
class _Machine:
    nodes: dict[int, _Node] = field(default_factory=dict)

    def take(self, nodes: Sequence[int], kind: str, size: int) -> None:
        """Reserve so much, from one node after the other."""
        for number in nodes:
            node = self.nodes[number]
            node.assignments += 1
            node.cells = tuple(nodes)
            table = node.tables[kind]
            part = min(size, table.free)
            node.tables[kind] = replace(table, free=table.free - part, reserved=table.reserved + part)
            size -= part

    def give_back(self, block: Block) -> None:
        """Free what a block holds."""
        size = block.size
        for number in block.nodes:
            node = self.nodes[number]
            node.assignments -= 1
            if node.assignments == 0:
                node.cells = (number,)
            table = node.tables[block.kind]
            part = min(size, table.reserved)
            node.tables[block.kind] = replace(table, free=table.free + part, reserved=table.reserved - part)
            size -= part

    def sum(self, nodes: Iterable[int], kind: str, what: str) -> int:
        return sum(getattr(self.nodes[n].tables[kind], what) for n in nodes if kind in self.nodes[n].tables)


class MemoryManager:
    """As CpuManager: what is given out is in memory, `state()` is to be written.

    `kept` is what the node keeps from pods in bytes, by resource; `reserved_memory` has to say of which NUMA
    nodes. Raises SettingsError, CheckpointError.
    """

    def __init__(
        self,
        settings: ManagerSettings,
        layout: Layout,
        kept: Mapping[str, int],
        affinities: Affinities,
        metrics: KubeletMetrics,
        written: Mapping[str, Any] | None = None,
    ) -> None:
        check_reserved(settings.reserved_memory, layout, kept)
        self._affinities = affinities
        self._metrics = metrics
        self._machine = _machine(layout, settings.reserved_memory)
        self._given: dict[str, dict[str, list[Block]]] = {}
        self._reusable: tuple[str, dict[tuple[tuple[int, ...], str], int]] = ("", {})
        self.changes = 0
        if written is not None:
            self._given = decode(written, {n: node.tables for n, node in self._machine.nodes.items()})
            for containers in self._given.values():
                for blocks in containers.values():
                    for block in blocks:
                        self._machine.take(block.nodes, block.kind, block.size)

    def state(self) -> dict[str, Any]:
        """What to write of what was given out."""
        nodes = {
            number: (node.assignments, node.cells, node.tables)
            for number, node in self._machine.nodes.items()
        }
        return show_state(nodes, self._given)

    def uids(self) -> set[str]:
        """The pods memory is kept for."""
        return set(self._given)

    def blocks(self, uid: str, container: str) -> list[Block]:
        """The memory that is kept for a container."""
        return self._given.get(uid, {}).get(container, [])

    def nodes(self, uid: str, container: str) -> Nodes:
        """The NUMA nodes a container's memory comes from; none for any."""
        return frozenset(node for block in self.blocks(uid, container) for node in block.nodes)

    def allocatable(self) -> list[tuple[str, int, Iterable[int]]]:
        """What can be given out, as (kind, bytes, NUMA nodes)."""
        return [
            (kind, table.allocatable, (number,))
            for number, node in sorted(self._machine.nodes.items())
            for kind, table in sorted(node.tables.items())
            if table.allocatable
        ]

    def hints(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Hints:
        """See HintProvider."""
        asked = own_memory(pod, container)
        blocks = self._given.get(uid_of(pod), {}).get(container["name"])
        return self._again(blocks, asked) if blocks is not None else self._hints(uid_of(pod), asked)

    def pod_hints(self, pod: Mapping[str, Any]) -> Hints:
        """See HintProvider."""
        each = {one["name"]: own_memory(pod, one) for one in containers_of(pod)}
        kinds = {kind for amounts in each.values() for kind in amounts}
        asked = {
            kind: pod_total(pod, {name: amounts.get(kind, 0) for name, amounts in each.items()})
            for kind in kinds
        }
        for one in containers_of(pod):
            blocks = self._given.get(uid_of(pod), {}).get(one["name"])
            if blocks is not None:
                return self._again(blocks, asked)
        return self._hints(uid_of(pod), asked)

    def _again(self, blocks: Sequence[Block], asked: Mapping[str, int]) -> Hints:
        if {block.kind: block.size for block in blocks} != dict(asked):
            return {}
        return {block.kind: [TopologyHint(frozenset(block.nodes), is_preferred=True)] for block in blocks}

    def _hints(self, uid: str, asked: Mapping[str, int]) -> Hints:
        found = self._candidates(uid, asked)
        return dict.fromkeys(asked, found) if found else {}

    def _candidates(self, uid: str, asked: Mapping[str, int]) -> list[TopologyHint]:
        """The sets of nodes that have what is asked for, the smallest first."""
        machine = self._machine
        least, found = len(machine.nodes), []
        for size in range(1, len(machine.nodes) + 1):
            for nodes in combinations(sorted(machine.nodes), size):
                if any(machine.sum(nodes, kind, "allocatable") < amount for kind, amount in asked.items()):
                    continue
                least = min(least, size)
                if self._is_open(nodes) and all(
                    machine.sum(nodes, kind, "free") + self._reuse(uid, nodes, kind) >= amount
                    for kind, amount in asked.items()
                ):
                    found.append(nodes)
        return [TopologyHint(frozenset(nodes), len(nodes) == least) for nodes in found]

    def _is_open(self, nodes: tuple[int, ...]) -> bool:
        """Whether memory of exactly these nodes together may be given."""
        there = [self._machine.nodes[number] for number in nodes]
        if len(nodes) == 1:
            return len(there[0].cells) <= 1
        return all(node.assignments == 0 or node.cells == nodes for node in there)

    def _reuse(self, uid: str, nodes: tuple[int, ...], kind: str) -> int:
        return self._reusable[1].get((nodes, kind), 0) if self._reusable[0] == uid else 0

    def allocate(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        """See HintProvider."""
        asked, uid, name = own_memory(pod, container), uid_of(pod), container["name"]
        if not asked:
            return
        self._metrics.memory_pinning_requests.inc()
        blocks = self._given.get(uid, {}).get(name)
        if blocks is None:
            try:
                nodes = self._choose(uid, name, asked)
            except AdmissionRefused:
                self._metrics.memory_pinning_errors.inc()
                raise
            blocks = [Block(nodes, kind, size) for kind, size in sorted(asked.items())]
            for block in blocks:
                size = max(block.size - self._reuse(uid, nodes, block.kind), 0)
                self._machine.take(nodes, block.kind, size)
            self._given.setdefault(uid, {})[name] = list(blocks)
            self._pass_on(pod, name, blocks)
            self.changes += 1
        self._note_reusable(pod, name, blocks)

    def _choose(self, uid: str, name: str, asked: Mapping[str, int]) -> tuple[int, ...]:
        merged = self._affinities.affinity(uid, name)
        candidates = self._candidates(uid, asked)
        best = merged
        if best.nodes is None:
            if not candidates:
                raise unexpected(
                    "[memorymanager] failed to get the default NUMA affinity, no NUMA nodes with enough "
                    "memory is available"
                )
            best = _narrowest(candidates)
            if merged.is_preferred and not best.is_preferred:
                raise unexpected("[memorymanager] failed to find the default preferred hint")
        nodes = best.nodes or frozenset()
        if any(self._machine.sum(nodes, kind, "free") < amount for kind, amount in asked.items()):
            wider = [hint for hint in candidates if nodes <= (hint.nodes or frozenset())]
            if not wider:
                raise unexpected(
                    "[memorymanager] failed to find NUMA nodes to extend the current topology hint"
                )
            extended = _narrowest(wider)
            if best.is_preferred and not extended.is_preferred:
                raise unexpected("[memorymanager] failed to find the extended preferred hint")
            nodes = extended.nodes or frozenset()
        chosen = tuple(sorted(nodes))
        if len(chosen) > 1 and not self._is_open(chosen):
            raise unexpected("[memorymanager] preferred hint violates NUMA node allocation")
        return chosen

    def _note_reusable(self, pod: Mapping[str, Any], name: str, blocks: Sequence[Block]) -> None:
        """What an init container had the next may have; what one of the pod's own has it keeps."""
        uid = uid_of(pod)
        there = self._reusable[1] if self._reusable[0] == uid else {}
        for block in blocks:
            key, before = (block.nodes, block.kind), there.get((block.nodes, block.kind), 0)
            there[key] = max(before, block.size) if is_passing(pod, name) else max(before - block.size, 0)
        self._reusable = (uid, there)

    def _pass_on(self, pod: Mapping[str, Any], name: str, blocks: Sequence[Block]) -> None:
        """Take what a container uses again from the blocks of the init containers that had it."""
        given = self._given[uid_of(pod)]
        for block in blocks:
            left = block.size
            for one in containers_of(pod):
                if one["name"] == name:
                    break
                if not is_passing(pod, one["name"]):
                    continue
                for index, old in enumerate(given.get(one["name"], ())):
                    if (old.kind, old.nodes) == (block.kind, block.nodes):
                        part = min(left, old.size)
                        given[one["name"]][index] = replace(old, size=old.size - part)
                        left -= part

    def release(self, uid: str) -> None:
        """The pod is gone: what was kept for it is free."""
        given = self._given.pop(uid, None)
        if given is not None:
            for blocks in given.values():
                for block in blocks:
                    self._machine.give_back(block)
            self.changes += 1
        if self._reusable[0] == uid:
            self._reusable = ("", {})


def _narrowest(hints: Iterable[TopologyHint]) -> TopologyHint:
    def rank(hint: TopologyHint) -> tuple[bool, int, int]:
        nodes = hint.nodes or frozenset()
        return not hint.is_preferred, len(nodes), sum(1 << node for node in nodes)

    return min(hints, key=rank)


def _tables(number: int, node: NumaNode, reserved: Mapping[int, Mapping[str, int]]) -> dict[str, Table]:
    own = reserved.get(number, {})
    tables, in_pages = {}, 0
    for size, count in node.huge_pages.items():
        name = huge_page_name(size)
        in_pages += size * count
        tables[name] = Table.of(size * count, own.get(name, 0), 0)
    tables["memory"] = Table.of(node.memory_bytes, own.get("memory", 0), in_pages)
    return tables


def _machine(layout: Layout, reserved: Mapping[int, Mapping[str, int]]) -> _Machine:
    return _Machine(
        {
            number: _Node(_tables(number, node, reserved), 0, (number,))
            for number, node in layout.nodes.items()
        }
    )


def check_reserved(
    reserved: Mapping[int, Mapping[str, int]], layout: Layout, kept: Mapping[str, int]
) -> None:
    """Whether the NUMA nodes keep as much as the node as a whole does. Raises SettingsError."""
    total: dict[str, int] = {}
    for number, amounts in reserved.items():
        if number not in layout.nodes:
            raise SettingsError(
                f"the reserved memory configuration references a NUMA node {number} that does not exist on "
                "this machine"
            )
        for kind, size in amounts.items():
            total[kind] = total.get(kind, 0) + size
    for kind in sorted({*total, *(k for k, size in kept.items() if size)}):
        if total.get(kind, 0) != kept.get(kind, 0):
            has, wanted = (canonical_quantity(str(one.get(kind, 0))) for one in (total, kept))
            raise SettingsError(
                f'the total amount "{has}" of type "{kind}" is not equal to the value "{wanted}" determined '
                "by Node Allocatable feature"
            )
    if total.get("memory", 0) <= 0:
        raise SettingsError("[memorymanager] you should specify the system reserved memory")
