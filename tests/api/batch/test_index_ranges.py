"""Sets of completion indexes as text."""

import re

import pytest

from wherry.api.batch.index_ranges import count_indexes, first_overlap, parse_ranges


@pytest.mark.parametrize(("text", "count"), [("", 0), ("0", 1), ("0,2-4", 4), ("0-9", 10)])
def test_count(text: str, count: int) -> None:
    assert count_indexes(parse_ranges(text, 10)) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", 'cannot convert string to integer for index: "a"'),
        ("10", 'too large index: "10"'),
        ("0-10", 'too large index: "10"'),
        ("3-3", "non-increasing order, previous: 3, current: 3"),
        ("1-4,4", "non-increasing order, previous: 4, current: 4"),
        (
            "1-2-3",
            (
                'the fragment "1-2-3" violates the requirement that an index interval '
                "can have at most two parts separated by '-'"
            ),
        ),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(why) + "$"):
        parse_ranges(text, 10)


@pytest.mark.parametrize(
    ("left", "right", "index"),
    [("0-3", "3-5", 3), ("0,5-7", "1-4,6", 6), ("0-2", "3", None), ("", "1", None), ("x,2", "2", 2)],
)
def test_overlap(left: str, right: str, index: int | None) -> None:
    assert first_overlap(left, right, 10) == index
