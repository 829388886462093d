"""The meter finds what it is for, and is not taken in by work that only is much."""

from __future__ import annotations

import re
from itertools import chain
from math import isinf

from tests.growth.meter import Counted, seconds_of, step_growth, time_growth


def _texts(size: int) -> list[str]:
    return [Counted(f"text{index}") for index in range(size)]


def test_lists_searched_in_lists_are_found() -> None:
    assert step_growth(lambda values: [v for i, v in enumerate(values) if v in values[:i]], _texts, 50)
    assert not step_growth(lambda values: [hash(v) for v in values], _texts, 50)
    assert not step_growth(sorted, _texts, 50)


def test_loops_in_loops_are_found() -> None:
    def pairs(values: list[str]) -> object:
        return [left.startswith(right) for left in values for right in values]

    assert step_growth(pairs, _texts, 50)


def test_patterns_that_share_a_run_are_found() -> None:
    shared = re.compile(r"(\d*)(\d*)x")
    assert time_growth(shared.fullmatch, lambda size: "1" * size, 6000)
    assert not time_growth(re.compile(r"\d*x").fullmatch, lambda size: "1" * size, 16384)


def test_what_does_not_end_is_stopped() -> None:
    nested = re.compile(r"(a+)+$")
    assert isinf(seconds_of(lambda: nested.fullmatch("a" * 64 + "!")))
    assert time_growth(nested.fullmatch, lambda size: "a" * size + "!", 64)


def test_much_work_that_grows_as_it_should_is_fine() -> None:
    def work(size: int) -> int:
        return sum(chain(range(size), range(size)))

    assert seconds_of(lambda: work(4_000_000)) > 0.03
    assert not time_growth(work, lambda size: size * 100, 40_000)
