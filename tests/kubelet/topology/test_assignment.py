"""Which processors are taken: upstream's documented order, and what must hold of any."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.kubelet.topology.trees import machine
from wherry.kubelet.topology.assignment import Manner, TooFew, take_cpus
from wherry.kubelet.topology.cpu_set import parse_cpus, show_cpus
from wherry.kubelet.topology.layout import Processors

PACKED = Manner()
SMT = machine(1, 1, 4, 2).processors
"""Cores 0-3 with their second threads 4-7."""
TWO = machine(2, 1, 4, 2).processors
"""Sockets {0-3,8-11} and {4-7,12-15}."""
FOUR = machine(2, 2, 4, 2).processors
"""Nodes {0-3,16-19} and {4-7,20-23} on the first socket, and so on."""
CACHES = machine(1, 1, 8, 2, 2).processors
"""Caches {0-3,8-11} and {4-7,12-15}."""


@pytest.mark.parametrize(
    ("processors", "free", "number", "manner", "expected"),
    [
        (SMT, "0-7", 0, PACKED, ""),
        (SMT, "0-7", 1, PACKED, "0"),
        (SMT, "0-7", 2, PACKED, "0,4"),
        (SMT, "0-7", 3, PACKED, "0-1,4"),
        (SMT, "0,2-7", 1, PACKED, "5"),  # beside one that is taken already
        (SMT, "0,2-7", 2, PACKED, "0,4"),  # a whole core first
        (SMT, "0-7", 8, PACKED, "0-7"),
        (SMT, "0-7", 2, Manner(spread=True), "0-1"),
        (SMT, "0-7", 5, Manner(spread=True), "0-4"),
        (TWO, "0-15", 8, PACKED, "0-3,8-11"),
        (TWO, "1-15", 8, PACKED, "4-7,12-15"),  # the socket that is whole
        (TWO, "1-15", 2, PACKED, "1,9"),  # where least is left
        (TWO, "0-15", 10, PACKED, "0-4,8-12"),
        (FOUR, "0-31", 8, PACKED, "0-3,16-19"),
        (FOUR, "0-31", 16, PACKED, "0-7,16-23"),
        (FOUR, "1-31", 16, PACKED, "8-15,24-31"),
        (FOUR, "0-31", 8, Manner(distribute=True), "0-3,16-19"),
        (TWO, "0-15", 10, Manner(distribute=True), "0-2,4-6,8-9,12-13"),
        (TWO, "0-15", 12, Manner(distribute=True, group=2), "0-2,4-6,8-10,12-14"),
        (TWO, "1-15", 10, Manner(distribute=True, group=2), "1-2,4-6,9-10,12-14"),
        (TWO, "0-15", 9, Manner(distribute=True, group=2), "0-4,8-11"),  # no whole cores: packed
        (CACHES, "0-15", 8, Manner(by_cache=True), "0-3,8-11"),
        (CACHES, "1-15", 8, Manner(by_cache=True), "4-7,12-15"),
        (CACHES, "2-15", 8, PACKED, "2-5,10-13"),
        (CACHES, "2-15", 6, Manner(by_cache=True), "4-6,12-14"),  # from one cache, or from none
        (CACHES, "2-15", 4, Manner(by_cache=True), "4-5,12-13"),
    ],
)
def test_what_is_taken(processors: Processors, free: str, number: int, manner: Manner, expected: str) -> None:
    taken = take_cpus(processors, parse_cpus(free), number, manner)
    assert show_cpus(taken) == expected


def test_too_few() -> None:
    with pytest.raises(
        TooFew, match="not enough cpus available to satisfy request: requested=3, available=2"
    ):
        take_cpus(SMT, frozenset({0, 1}), 3, PACKED)


def test_of_any_machine_exactly_so_many_free_ones_are_taken_and_few_cores_split() -> None:
    random = Random(5)
    for _ in range(1500):
        layout = machine(
            random.randint(1, 2),
            random.randint(1, 2),
            random.choice((2, 4)),
            random.randint(1, 2),
            random.choice((1, 2)),
        )
        processors = layout.processors
        free = frozenset(random.sample(sorted(processors.all), random.randint(1, len(processors.all))))
        number = random.randint(1, len(free))
        group = processors.per_core if random.random() < 0.5 else 1
        manner = random.choice(
            (PACKED, Manner(spread=True), Manner(by_cache=True), Manner(distribute=True, group=group))
        )
        taken = take_cpus(processors, free, number, manner)
        assert len(taken) == number
        assert taken <= free
        if manner == PACKED:
            assert _split(taken, free, processors.per_core, len(processors.all)) <= 1


def _split(taken: frozenset[int], free: frozenset[int], per_core: int, count: int) -> int:
    """How many cores that were whole are taken in part."""
    cores = count // per_core
    whole = {core for core, there in Counter(cpu % cores for cpu in free).items() if there == per_core}
    return sum(there < per_core for core, there in Counter(c % cores for c in taken).items() if core in whole)
