"""Which processors to take of those that are free: near to each other, in upstream's order. Pure.

Source: pkg/kubelet/cm/cpumanager/cpu_assignment.go. Packed: whole NUMA nodes and sockets first, then (if
asked for) caches, whole cores, and single processors where least is left. Distributed: the same number from
each of as few NUMA nodes as will do, chosen so that what is left is even.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf, sqrt
from operator import attrgetter

from wherry.kubelet.topology.layout import Processor, Processors

CpuSet = frozenset[int]
Key = Callable[[Processor], int]


class TooFew(Exception):
    """There are not as many processors as are asked for."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How to take them. `spread` splits cores, `by_cache` keeps to caches, `group` go together."""

    spread: bool = False
    by_cache: bool = False
    distribute: bool = False
    group: int = 1


def take_cpus(processors: Processors, free: CpuSet, number: int, manner: Manner) -> CpuSet:
    """`number` of the `free` processors. Raises TooFew."""
    if manner.distribute:
        return _distribute(processors, free, number, manner)
    return _pack(processors, free, number, manner)


_node: Key = attrgetter("node")
_socket: Key = attrgetter("socket")
_core: Key = attrgetter("core")
_uncore: Key = attrgetter("uncore")


@dataclass(slots=True)
class _Taking:
    """What is free still, what was taken, and how many are wanted beyond."""

    processors: Processors
    free: set[int]
    wanted: int
    taken: set[int] = field(default_factory=set)

    def take(self, cpus: Collection[int]) -> None:
        self.taken.update(cpus)
        self.free.difference_update(cpus)
        self.wanted -= len(cpus)

    def groups(self, among: Collection[int], key: Key) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for cpu in sorted(among):
            found.setdefault(key(self.processors.by_number[cpu]), []).append(cpu)
        return found

    def sorted_groups(self, among: Collection[int], key: Key) -> list[tuple[int, list[int]]]:
        """Those with the fewest free processors first, then by number."""
        return sorted(self.groups(among, key).items(), key=lambda one: (len(one[1]), one[0]))

    def nested(self, keys: Sequence[Key]) -> Iterator[tuple[int, list[int]]]:
        """The groups by the last key, group by group of the key before, and so on."""

        def descend(among: Collection[int], rest: Sequence[Key]) -> Iterator[tuple[int, list[int]]]:
            for name, cpus in self.sorted_groups(among, rest[0]):
                if len(rest) == 1:
                    yield name, cpus
                else:
                    yield from descend(cpus, rest[1:])

        seen = set()
        for name, _ in list(descend(self.free, keys)):
            if name not in seen:
                seen.add(name)
                yield name, [c for c in sorted(self.free) if keys[-1](self.processors.by_number[c]) == name]

    @property
    def levels(self) -> tuple[Key, Key]:
        """The larger of NUMA nodes and sockets first."""
        is_numa_first = len(self.processors.sockets) >= len(self.processors.nodes)
        return (_node, _socket) if is_numa_first else (_socket, _node)

    def take_whole(self, keys: Sequence[Key]) -> None:
        """Take groups of which nothing is taken yet, as long as so many are wanted."""
        sizes: dict[int, int] = {}
        for one in self.processors.by_number.values():
            sizes[keys[-1](one)] = sizes.get(keys[-1](one), 0) + 1
        for name, cpus in list(self.nested(keys)):
            if len(cpus) == sizes[name] and self.wanted >= len(cpus):
                self.take(cpus)

    def take_by_cache(self) -> None:
        """Whole caches, or all that is wanted from one cache."""
        outer, inner = self.levels
        keys = (outer, inner, _uncore)
        for name, _ in list(self.nested(keys)):
            if self.wanted >= self.processors.per_uncore:
                self.take_whole(keys)
            if self.wanted > 0:
                self._take_part(name)
            if self.wanted <= 0:
                return

    def _take_part(self, uncore: int) -> None:
        per_core = self.processors.per_core
        here = [c for c in self.free if self.processors.by_number[c].uncore == uncore]
        cores = self.groups(here, _core)
        chosen = sorted(cores)[: -(-self.wanted // per_core)]
        cpus = sorted(cpu for core in chosen for cpu in cores[core])
        if self.wanted % 2 and per_core > 1 and len(cpus) > self.wanted:
            cpus.pop()
        if len(cpus) == self.wanted:
            self.take(cpus)

    def in_order(self, *, spread: bool) -> list[int]:
        """The free processors, those first that are taken first."""
        outer, inner = self.levels
        if not spread:
            keys: tuple[Key, ...] = (outer, inner, _core)
        elif inner is _socket:
            keys = (outer, inner)
        else:
            keys = (outer,)
        return [cpu for _, cpus in self.nested(keys) for cpu in cpus]


def _start(processors: Processors, free: CpuSet, number: int) -> _Taking:
    if number > len(free):
        raise TooFew(
            f"not enough cpus available to satisfy request: requested={number}, available={len(free)}"
        )
    return _Taking(processors, set(free), number)


def _pack(processors: Processors, free: CpuSet, number: int, manner: Manner) -> CpuSet:
    if number < 1:
        return frozenset()
    taking = _start(processors, free, number)
    outer, inner = taking.levels
    taking.take_whole((outer,))
    taking.take_whole((outer, inner))
    if manner.by_cache:
        taking.take_by_cache()
    if not manner.spread:
        taking.take_whole((outer, inner, _core))
    if taking.wanted > 0:
        taking.take(taking.in_order(spread=manner.spread)[: taking.wanted])
    return frozenset(taking.taken)


def _distribute(processors: Processors, free: CpuSet, number: int, manner: Manner) -> CpuSet:
    packed = Manner(spread=manner.spread)
    group = manner.group
    if number < 1:
        return frozenset()
    if number % group:
        return _pack(processors, free, number, packed)
    taking = _start(processors, free, number)
    nodes = [name for name, _ in taking.nested(_down_to_nodes(taking))]
    left = {node: len(free & processors.on_nodes([node])) for node in nodes}
    all_groups = -(-len(processors.all) // group)
    wanted = -(-number // group)
    fewest = -(-wanted // -(-all_groups // len(processors.nodes)))
    for size in range(fewest, min(wanted, len(nodes)) + 1):
        chosen = _best(left, nodes, size, number, group)
        if chosen is None:
            continue
        among, rest = chosen
        each = number // size // group * group
        for node in among:
            here = frozenset(taking.free & processors.on_nodes([node]))
            taking.take(_pack(processors, here, each, packed))
        while taking.wanted > 0:
            before = taking.wanted
            for node in rest:
                here = frozenset(taking.free & processors.on_nodes([node]))
                if taking.wanted > 0 and len(here) >= group:
                    taking.take(_pack(processors, here, group, packed))
            if taking.wanted == before:
                raise TooFew(f"accounting error, not enough CPUs allocated, remaining: {taking.wanted}")
        return frozenset(taking.taken)
    return _pack(processors, free, number, packed)


def _down_to_nodes(taking: _Taking) -> tuple[Key, ...]:
    outer, inner = taking.levels
    return (outer,) if outer is _node else (outer, inner)


def _best(
    left: dict[int, int], nodes: Sequence[int], size: int, number: int, group: int
) -> tuple[Sequence[int], Sequence[int]] | None:
    """Of all sets of `size` nodes the one that leaves the most even rest, and who gives the remainder."""
    best: tuple[float, Sequence[int], Sequence[int]] | None = None
    each = number // size // group * group
    remainder = number - each * size
    for among in combinations(nodes, size):
        if sum(left[node] // group for node in among) * group < number:
            continue
        if any(left[node] < each for node in among):
            continue
        after = {node: free - (each if node in among else 0) for node, free in left.items()}
        balance, rest = _remainder(after, [n for n in among if after[n] >= group], remainder, group)
        if balance < (best[0] if best is not None else inf):
            best = (balance, among, rest)
        if balance == 0:
            break
    return None if best is None else (best[1], best[2])


def _remainder(
    after: dict[int, int], among: Sequence[int], remainder: int, group: int
) -> tuple[float, Sequence[int]]:
    """How uneven what is left is at best, and from which nodes the remainder then comes."""
    if remainder == 0:
        return _deviation(after.values()), ()
    best: tuple[float, Sequence[int]] = (inf, ())
    for size in range(len(among), 0, -1):
        for subset in combinations(among, size):
            then, rest = dict(after), remainder
            if sum(then[node] // group for node in subset) * group < rest:
                continue
            while rest > 0:
                for node in subset:
                    if rest > 0 and then[node] >= group:
                        then[node] -= group
                        rest -= group
            if (balance := _deviation(then.values())) < best[0]:
                best = (balance, subset)
    return best


def _deviation(numbers: Collection[int]) -> float:
    mean = round(sum(numbers) / len(numbers), 3)
    return round(sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers)), 3)
