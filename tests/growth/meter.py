"""Two ways to see that work grows faster than what it is done on: counted steps, and processor time.

Steps are calls (of Python and of C) and comparisons of the texts in a list (`Counted`): they are the same on
every machine, so small lists will do. Patterns work inside one call and are timed, on the thread's own clock.
What does not end is stopped.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from math import inf, isfinite
from types import FrameType
from typing import Any, ClassVar, TypeVar

from tests.timing import recent_slowness

T = TypeVar("T")

MOST_STEP_GROWTH = 5.6
"""Four times as much may take so many times the steps: n log n of small lists, and nothing worse."""
MOST_PER_ITEM = 20
"""So many steps for each item are nothing to ask about; what is remembered from before hides some."""
MOST_GROWTH = 8.0
"""The same of times, which are never exact; n squared takes sixteen times as long."""
FLOOR_S = 0.03
"""Below this much processor time (as `tests.timing` tells it) nobody asks how it grew."""
DEADLINE_S = 0.6
"""Where the limits were chosen; longer on a slower machine."""


class DoesNotEndError(Exception):
    """Work that was stopped."""


class Counted(str):
    """A text that counts how often any of its kind is compared."""

    __slots__ = ()
    compared: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def steps_of(call: Callable[[], object]) -> tuple[int, int]:
    """How many calls and how many comparisons `call` makes."""
    calls = 0
    before = Counted.compared

    def seen(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    sys.setprofile(seen)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls, Counted.compared - before


def step_growth(call: Callable[[T], object], make: Callable[[int], T], small: int) -> str:
    """What is wrong with how `call(make(n))` grows from `small` to four times as much, "" if nothing.

    It has to go on from there to sixteen times: between the first two may lie a limit, and other work beyond.
    """
    call(make(2))  # what is read or compiled at first use
    nothing = steps_of(partial(call, make(1)))
    few, many = (steps_of(partial(call, make(size))) for size in (small, 4 * small))
    wrong = [which for which in (0, 1) if _grows(nothing[which], few[which], many[which], small)]
    if not wrong:
        return ""
    most = steps_of(partial(call, make(16 * small)))
    return ", ".join(
        f"{many[which]} {_WHAT[which]} for {4 * small}, {most[which]} for {16 * small}"
        for which in wrong
        if _grows(nothing[which], many[which], most[which], 4 * small)
    )


_WHAT = ("calls", "comparisons")


def _grows(nothing: int, few: int, many: int, small: int) -> bool:
    growth = (many - nothing) / max(few - nothing, small)
    return growth > MOST_STEP_GROWTH and many > MOST_PER_ITEM * 4 * small


def seconds_of(call: Callable[[], object]) -> float:
    """The processor time `call` takes (`tests.timing`); infinite for what had to be stopped."""
    slower = recent_slowness()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise DoesNotEndError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, DEADLINE_S * slower)
    started = time.thread_time()
    try:
        call()
        return (time.thread_time() - started) / slower
    except DoesNotEndError:
        return inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def time_growth(call: Callable[[T], object], make: Callable[[int], T], most: int) -> str:
    """What is wrong with the time `call(make(most))` takes, "" if it is little or grows as it should."""
    once = seconds_of(lambda: call(make(most)))
    if once < FLOOR_S:
        return ""
    few = seconds_of(lambda: call(make(most // 4)))
    many = once
    for _ in range(3):  # whoever else is at work may spoil a measurement, never all of them
        if many < FLOOR_S or (isfinite(many) and many / few <= MOST_GROWTH):
            return ""
        few = min(few, seconds_of(lambda: call(make(most // 4))))
        if isfinite(many):
            many = min(many, seconds_of(lambda: call(make(most))))
    return f"{few * 1000:.1f} ms for {most // 4}, {many * 1000:.1f} ms for {most}"
