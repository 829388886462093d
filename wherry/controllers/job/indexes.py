"""Sets of completion indexes, as a Job's status holds them: `0,2-4`.

Source: pkg/controller/job, indexed_job_utils.go. Two indexes in a row are written `3,4`, three `3-5`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from wherry.api.batch.index_ranges import Interval, count_indexes
from wherry.kit.integers import parse_unsigned


class Indexes:
    """A set of indexes, kept as intervals in order; it never changes."""

    __slots__ = ("intervals",)

    def __init__(self, intervals: Iterable[Interval] = ()) -> None:
        self.intervals = tuple(intervals)

    @classmethod
    def of(cls, indexes: Iterable[int]) -> Indexes:
        """The set of these indexes, in any order."""
        return cls(_joined(Interval(index, index) for index in sorted(set(indexes))))

    @classmethod
    def parse(cls, text: str, completions: int) -> Indexes:
        """What a status or a policy says, without what makes no sense or is not below `completions`."""
        return cls(_joined(sorted(_read(text, completions))))

    def __or__(self, other: Indexes) -> Indexes:
        return Indexes(_joined(sorted((*self.intervals, *other.intervals))))

    def __contains__(self, index: int) -> bool:
        at = bisect_left(self.intervals, index, key=lambda interval: interval.last)
        return at < len(self.intervals) and self.intervals[at].first <= index

    def __len__(self) -> int:
        return count_indexes(list(self.intervals))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Indexes) and self.intervals == other.intervals

    def __hash__(self) -> int:
        return hash(self.intervals)

    def __str__(self) -> str:
        return ",".join(_write(interval) for interval in self.intervals)

    def shared_with(self, other: Indexes) -> int:
        """How many indexes are in both."""
        mine, others, shared = list(self.intervals), list(other.intervals), 0
        while mine and others:
            one, two = mine[-1], others[-1]
            shared += max(0, min(one.last, two.last) - max(one.first, two.first) + 1)
            if one.first >= two.first:
                mine.pop()
            if two.first >= one.first:
                others.pop()
        return shared

    def missing(self, below: int) -> Iterator[int]:
        """The indexes below `below` that are not in the set, in order."""
        candidate = 0
        for interval in self.intervals:
            yield from range(candidate, min(interval.first, below))
            candidate = interval.last + 1
        yield from range(candidate, below)


def _joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals that come by their first index, with those that touch made one."""
    found: list[Interval] = []
    for interval in intervals:
        if found and interval.first <= found[-1].last + 1:
            found[-1] = Interval(found[-1].first, max(found[-1].last, interval.last))
        else:
            found.append(interval)
    return found


def _read(text: str, completions: int) -> Iterator[Interval]:
    for part in text.split(",") if text else ():
        first_text, _, last_text = part.partition("-")
        first = parse_unsigned(first_text)
        last = parse_unsigned(last_text) if last_text else first
        if first is not None and last is not None and first <= last and first < completions:
            yield Interval(first, min(last, completions - 1))


def _write(interval: Interval) -> str:
    if interval.first == interval.last:
        return str(interval.first)
    return f"{interval.first}{',' if interval.last == interval.first + 1 else '-'}{interval.last}"
