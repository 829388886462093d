"""Which stage is next, and when. Weights as KWOK has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

import pytest

from wherry.api.core.pods import PODS
from wherry.hollow.stages import Delay, Finalizers, Stage, choose, finalizer_patch, is_still_possible
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def made(
    name: str,
    weight: int | None = 0,
    *,
    matches: Callable[[Object], bool] = lambda _: True,
    after_s: float = 0.0,
    is_ordered: bool = False,
) -> Stage:
    return Stage(
        name=name,
        resource=PODS,
        matches=matches,
        steps=lambda _: (),
        weight=lambda _: weight,
        delay=lambda _obj, _now: Delay(after_s),
        is_ordered=is_ordered,
    )


def shares(*stages: Stage) -> dict[str, int]:
    random = Random(3)
    chosen = (choose(stages, {}, NOW, random) for _ in range(1000))
    return dict(Counter(stage.name for stage in chosen if stage is not None))


def test_none_and_one() -> None:
    assert choose([], {}, NOW, Random(1)) is None
    assert choose([made("a", matches=lambda _: False)], {}, NOW, Random(1)) is None
    only = made("a", 0)
    assert choose([only, made("b", matches=lambda _: False)], {}, NOW, Random(1)) is only


def test_without_weights_all_are_as_likely() -> None:
    found = shares(made("a"), made("b"))
    assert 400 < found["a"] < 600
    assert found["a"] + found["b"] == 1000


def test_weights_share_the_chance_and_nothing_is_left_for_those_without() -> None:
    found = shares(made("a", 1), made("b", 3), made("c", 0))
    assert set(found) == {"a", "b"}
    assert 200 < found["a"] < 300


def test_a_weight_that_cannot_be_told_counts_only_if_none_can() -> None:
    assert set(shares(made("a", None), made("b", None))) == {"a", "b"}
    assert set(shares(made("a", None), made("b", 0))) == {"b"}


def test_of_ordered_ones_the_earliest_is_next() -> None:
    stages = [made("late", after_s=5, is_ordered=True), made("soon", after_s=1, is_ordered=True)]
    assert shares(*stages) == {"soon": 1000}


def test_a_chosen_stage_stays_chosen_while_it_is_possible() -> None:
    a, b = made("a"), made("b")
    assert is_still_possible(a, {}, [a, b])
    heavy = made("heavy", 5)
    assert not is_still_possible(a, {}, [a, heavy]), "beside a weight, none is no chance"
    assert is_still_possible(heavy, {}, [a, heavy])
    assert not is_still_possible(made("gone", matches=lambda _: False), {}, [])


@pytest.mark.parametrize(
    ("delay", "fraction", "expected"),
    [
        (Delay(2), 0.5, 2),
        (Delay(2, 4), 0.5, 3),
        (Delay(2, 4), 0.0, 2),
        (Delay(4, 2), 0.5, 2),
        (Delay(-3), 0.5, 0),
        (Delay(1, -5), 0.5, 0),
    ],
)
def test_delays(delay: Delay, fraction: float, expected: float) -> None:
    assert delay.at(fraction) == expected


@pytest.mark.parametrize(
    ("have", "step", "expected"),
    [
        ([], Finalizers(add=("a",)), [{"op": "add", "path": "/metadata/finalizers", "value": ["a"]}]),
        (["a"], Finalizers(add=("a",)), []),
        (
            ["a"],
            Finalizers(add=("b",)),
            [{"op": "replace", "path": "/metadata/finalizers", "value": ["a", "b"]}],
        ),
        (
            ["a", "b"],
            Finalizers(remove=("a",)),
            [{"op": "replace", "path": "/metadata/finalizers", "value": ["b"]}],
        ),
        (["a"], Finalizers(remove=("a",)), [{"op": "remove", "path": "/metadata/finalizers"}]),
        (["a"], Finalizers(empty=True), [{"op": "remove", "path": "/metadata/finalizers"}]),
        ([], Finalizers(empty=True), []),
        (
            ["a"],
            Finalizers(empty=True, add=("b",)),
            [{"op": "replace", "path": "/metadata/finalizers", "value": ["b"]}],
        ),
    ],
)
def test_finalizers(have: list[str], step: Finalizers, expected: list[Object]) -> None:
    assert finalizer_patch(have, step) == expected
