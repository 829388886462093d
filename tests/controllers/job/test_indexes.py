"""Sets of completion indexes: read, written, joined, compared; and against Python's own sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.controllers.job.indexes import Indexes

SETS = st.frozensets(st.integers(0, 40), max_size=25)


@pytest.mark.parametrize(
    ("indexes", "text"),
    [
        ([], ""),
        ([3], "3"),
        ([3, 4], "3,4"),
        ([3, 4, 5], "3-5"),
        ([0, 2, 3, 4, 7, 8], "0,2-4,7,8"),
    ],
)
def test_what_is_written(indexes: list[int], text: str) -> None:
    assert str(Indexes.of(indexes)) == text
    assert Indexes.parse(text, 100) == Indexes.of(indexes)


@pytest.mark.parametrize(
    ("text", "completions", "read"),
    [
        ("0-9", 5, "0-4"),
        ("7,9", 5, ""),
        ("1,x,3", 5, "1,3"),
        ("4-2,1", 5, "1"),
        ("-1,2", 5, "2"),
        ("0,1,2", 5, "0-2"),
    ],
)
def test_what_makes_no_sense_is_left_out(text: str, completions: int, read: str) -> None:
    assert str(Indexes.parse(text, completions)) == read


@given(SETS, SETS)
def test_it_is_a_set(one: frozenset[int], other: frozenset[int]) -> None:
    mine, others = Indexes.of(one), Indexes.of(other)
    assert Indexes.parse(str(mine), 41) == mine
    assert mine | others == Indexes.of(one | other)
    assert mine.shared_with(others) == len(one & other)
    assert len(mine) == len(one)
    assert [i for i in range(41) if i in mine] == sorted(one)
    assert list(mine.missing(30)) == [i for i in range(30) if i not in one]
