"""What comes of hints: upstream's tables, and its way of looking at every combination as a slow model."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from wherry.kubelet.topology.hints import TopologyHint
from wherry.kubelet.topology.merging import NumaInfo, gathered, merge

TWO = NumaInfo(frozenset({0, 1}), {0: {0: 10, 1: 20}, 1: {0: 20, 1: 10}})


def hint(nodes: str, preferred: bool = True) -> TopologyHint:
    """`"01"` are nodes 0 and 1, `"*"` any."""
    return TopologyHint(None if nodes == "*" else frozenset(map(int, nodes)), preferred)


A, B, AB = hint("0"), hint("1"), hint("01", False)


@pytest.mark.parametrize(
    ("told", "best", "restricted", "single"),
    [
        ([], hint("01"), True, True),
        ([{}], hint("01"), True, True),
        ([{"cpu": None}], hint("01"), True, True),
        ([{"gpu": []}], hint("01", False), False, False),
        ([{"cpu": [A, B, AB]}], A, True, True),
        ([{"cpu": [A, B, AB]}, {"gpu": [B, AB]}], B, True, True),
        ([{"cpu": [A, AB]}, {"gpu": [B, AB]}], hint("0", False), False, False),
        ([{"cpu": [hint("01")]}], hint("01"), True, False),
        ([{"cpu": [A]}, {"gpu": [B]}], hint("01", False), False, False),
        ([{"cpu": [AB]}, {"gpu": [B]}], hint("1", False), False, False),
        ([{"cpu": [A, B], "memory": [B]}, {}], B, True, True),
    ],
)
def test_what_comes_of_hints(
    told: list[dict[str, list[TopologyHint] | None]], best: TopologyHint, restricted: bool, single: bool
) -> None:
    assert merge(TWO, "best-effort", told) == (best, True)
    assert merge(TWO, "restricted", told) == (best, restricted)
    assert merge(TWO, "single-numa-node", told)[1] is single


def test_a_single_node_of_all_there_are_is_any() -> None:
    one = NumaInfo(frozenset({0}), {0: {0: 10}})
    assert merge(one, "single-numa-node", [{"cpu": [A]}]) == (hint("*"), True)


def test_nodes_that_are_near_to_each_other_are_taken_if_that_is_asked_for() -> None:
    far = {
        a: {b: 10 if a == b else 11 if {a, b} in ({1, 2}, {0, 3}) else 20 for b in range(4)} for a in range(4)
    }
    told = [{"cpu": [hint("01"), hint("02"), hint("12"), hint("23")]}]
    plain = NumaInfo(frozenset(range(4)), far)
    assert merge(plain, "best-effort", told)[0] == hint("01")
    assert merge(NumaInfo(plain.nodes, far, closest=True), "best-effort", told)[0] == hint("12")


def _model(info: NumaInfo, lists: list[list[TopologyHint]]) -> TopologyHint:
    """Every combination, compared one by one as upstream's documentation has it."""
    least = [min((len(h.nodes) for h in hints if h.nodes is not None), default=0) for hints in lists]
    ideal, best = max(least, default=0), None
    for combination in product(*lists):
        sets = [h.nodes for h in combination if h.nodes is not None]
        merged = info.nodes.intersection(*sets)
        preferred = all(h.is_preferred for h in combination) and len(set(sets)) <= 1
        if merged and (best is None or _is_better(info, TopologyHint(merged, preferred), best, ideal)):
            best = TopologyHint(merged, preferred)
    return best or TopologyHint(info.nodes, False)


def _is_better(info: NumaInfo, new: TopologyHint, old: TopologyHint, ideal: int) -> bool:
    assert new.nodes is not None and old.nodes is not None  # noqa: PT018
    if new.is_preferred != old.is_preferred:
        return new.is_preferred
    is_narrower = info.order(new.nodes) < info.order(old.nodes)
    if new.is_preferred or len(old.nodes) > ideal:
        return is_narrower
    if len(old.nodes) == ideal:
        return len(new.nodes) == ideal and is_narrower
    if len(new.nodes) > ideal:
        return False
    return len(new.nodes) > len(old.nodes) or (len(new.nodes) == len(old.nodes) and is_narrower)


def test_it_is_the_same_as_of_every_combination() -> None:
    random = Random(11)
    for _ in range(2000):
        count = random.randint(1, 4)
        nodes = range(count)
        far = {a: {b: 10 if a == b else random.randint(11, 13) for b in nodes} for a in nodes}
        info = NumaInfo(frozenset(nodes), far, closest=random.random() < 0.5)
        lists = [
            [
                TopologyHint(
                    None
                    if random.random() < 0.1
                    else frozenset(random.sample(nodes, random.randint(1, count))),
                    random.random() < 0.6,
                )
                for _ in range(random.randint(1, 4))
            ]
            for _ in range(random.randint(0, 4))
        ]
        told = [{f"r{index}": hints} for index, hints in enumerate(lists)]
        assert merge(info, "best-effort", told)[0] == _model(info, lists)


def test_the_most_nodes_there_may_be_take_no_time_to_speak_of() -> None:
    info = NumaInfo(frozenset(range(8)), {})
    masks = [frozenset(n for n in range(8) if mask >> n & 1) for mask in range(1, 256)]
    told = [{"cpu": [TopologyHint(nodes, len(nodes) == 1) for nodes in masks]}] * 4
    assert merge(info, "restricted", told) == (hint("0"), True)  # 255 ** 4 combinations
    assert len(gathered(told)) == 4
