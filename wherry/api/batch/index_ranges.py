"""Sets of completion indexes as text: `0,2-4`, each interval after the one before it."""

from __future__ import annotations

from typing import NamedTuple

from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import show_value


class Interval(NamedTuple):
    """Indexes from `first` to `last`, both included."""

    first: int
    last: int


def parse_ranges(text: str, completions: int) -> list[Interval]:
    """The intervals a text stands for, none for "". Raises ValueError, worded as upstream, for a bad one.

    Every index must be below `completions`.
    """
    intervals: list[Interval] = []
    for part in text.split(",") if text else ():
        interval = _parse_interval(part, completions)
        if intervals and intervals[-1].last >= interval.first:
            raise ValueError(
                f"non-increasing order, previous: {intervals[-1].last}, current: {interval.first}"
            )
        intervals.append(interval)
    return intervals


def count_indexes(intervals: list[Interval]) -> int:
    """How many indexes the intervals hold."""
    return sum(interval.last - interval.first + 1 for interval in intervals)


def first_overlap(left: str, right: str, completions: int) -> int | None:
    """The lowest index that is in both texts, None without one; intervals without sense are passed over."""
    pairs = (
        max(a.first, b.first)
        for a in _good(left, completions)
        for b in _good(right, completions)
        if a.first <= b.last and b.first <= a.last
    )
    return min(pairs, default=None)


def _good(text: str, completions: int) -> list[Interval]:
    found: list[Interval] = []
    for part in text.split(",") if text else ():
        try:
            found.append(_parse_interval(part, completions))
        except ValueError:  # named where the text itself is judged
            continue
    return found


def _parse_interval(text: str, completions: int) -> Interval:
    parts = text.split("-")
    if len(parts) > 2:
        raise ValueError(
            f'the fragment "{text}" violates the requirement that an index interval can have at most two '
            "parts separated by '-'"
        )
    ends = [_parse_index(part, completions) for part in parts]
    if len(ends) == 2 and ends[0] >= ends[1]:
        raise ValueError(f"non-increasing order, previous: {ends[0]}, current: {ends[1]}")
    return Interval(ends[0], ends[-1])


def _parse_index(text: str, completions: int) -> int:
    index = parse_unsigned(text, 63)
    if index is None:
        raise ValueError(f"cannot convert string to integer for index: {show_value(text)}")
    if index >= completions:
        raise ValueError(f'too large index: "{text}"')
    return index
