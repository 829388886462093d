"""Times that tests hold against limits, told as on the machine the limits were chosen on.

A limit in seconds is a statement about the program only if the machine is known. So a fixed piece of work,
the reference, is done right before and after what is measured; how much longer than `REFERENCE_S` it takes is
how much slower the machine is at that moment, and measured times are divided by that. A faster machine
changes nothing: what is too slow here is too slow there. Processor time counts where others may be at work on
the machine, and the least of several tries, since what is in the program's way is there every time.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

REFERENCE_S = 0.0045
"""Processor time the reference takes where the limits were chosen: a virtual machine with two cores, idle."""
TRIES = 3
PATIENCE_S = 60.0
"""How long a test waits for what must come. It says nothing of how fast that is: only a test that fails waits
for so long, and a machine that has other things to do makes none fail."""


def reference() -> int:
    """A fixed piece of work of the kind the program does: small objects, texts and maps."""
    made: dict[str, dict[str, object]] = {}
    for number in range(6000):
        name = f"name-{number}"
        made[name] = {"name": name, "parts": name.split("-"), "size": len(name)}
    return sum(len(str(item["name"])) for item in sorted(made.values(), key=lambda item: str(item["name"])))


def slowness() -> float:
    """How many times slower the machine is at this moment than where the limits were chosen; at least 1."""
    return max(1.0, min(_reference_s() for _ in range(2)) / REFERENCE_S)


def _reference_s() -> float:
    began = time.thread_time()
    reference()
    return time.thread_time() - began


def recent_slowness() -> float:
    """The same, measured once a second at most, for those who measure thousands of things."""
    now = time.monotonic()
    if now > _recent[0] + 1:
        _recent[:] = [now, slowness()]
    return _recent[1]


_recent = [-1e9, 1.0]


@dataclass
class Spent:
    """What a block took, in seconds of the machine the limits were chosen on; known once it is left."""

    wall_s: float = 0.0
    thread_s: float = 0.0
    """Processor time of the thread the block ran in."""
    process_s: float = 0.0
    """Processor time of all threads."""
    slowness: float = 1.0


@contextmanager
def spent() -> Iterator[Spent]:
    """Measure a block."""
    found = Spent(slowness=slowness())
    # One within the other, so that reading a clock never makes a part longer than the whole.
    wall, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
    yield found
    thread = time.thread_time() - thread
    process = time.process_time() - process
    wall = time.perf_counter() - wall
    found.slowness = max(found.slowness, slowness())
    found.wall_s, found.thread_s, found.process_s = (
        seconds / found.slowness for seconds in (wall, thread, process)
    )


def thread_seconds(work: Callable[[], object]) -> float:
    """The processor time `work` takes in this thread: what `least` takes the least of."""
    with spent() as took:
        work()
    return took.thread_s


async def process_seconds(work: Callable[[], Awaitable[object]]) -> float:
    """The processor time that passes, in all threads, until what `work` returns is there."""
    with spent() as took:
        await work()
    return took.process_s


def least(measure: Callable[[], float], limit_s: float, tries: int = TRIES) -> float:
    """The least of several measurements; none is made after one below `limit_s`."""
    found = measure()
    for _ in range(tries - 1):
        if found < limit_s:
            break
        found = min(found, measure())
    return found


async def least_awaited(measure: Callable[[], Awaitable[float]], limit_s: float, tries: int = TRIES) -> float:
    """`least` of measurements that wait for something."""
    found = await measure()
    for _ in range(tries - 1):
        if found < limit_s:
            break
        found = min(found, await measure())
    return found


class LongestTurn:
    """The longest time between two moments at which somebody got on, with `begin` and `end` around each.

    Others on the machine do not count: what a turn takes is the processor time of this process in it, where
    that is less than what the clock says.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.begin()

    def begin(self) -> None:
        """From now on somebody wants to get on."""
        self._wall, self._process = time.perf_counter(), time.process_time()

    def end(self) -> None:
        """They did."""
        taken = min(time.perf_counter() - self._wall, time.process_time() - self._process)
        self.longest_s = max(self.longest_s, taken)
