"""When a process looks for garbage (`collect_seldom`), and giving memory back to the system: `GivingBack`.

What was freed stays with glibc's allocator, between what is still in use: a server that once held hundreds
of megabytes would seem to hold them for ever. `malloc_trim` gives back every free page.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks

log = logging.getLogger(__name__)

GC_THRESHOLDS = (20_000, 1, 2_500)
"""Every decoded object is hundreds of containers and no cycle: with Python's own 700 the collector would look
at the whole heap again and again, a third of the time spent in writes (docs/performance.md). Nobody else runs
while it looks: what is new is looked at 20,000 containers at a time and once more with the next 20,000, some
milliseconds each; everything there is, so seldom that it does not matter."""

EVERY_S = 20.0
SELDOM_S = 60.0
"""The same after a try that was in vain: it takes some ten milliseconds per hundred megabytes."""
WORTH_BYTES = 8 * 1024 * 1024
"""How much larger than it ever was after giving back a process must be for another try."""

_seldom = threading.Lock()
_seldom_for = 0
_thresholds_before = (0, 0, 0)

_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def collect_seldom() -> None:
    """Have the garbage collector of this process look seldom, and at little."""
    gc.set_threshold(*GC_THRESHOLDS)


@contextmanager
def collected_seldom() -> Iterator[None]:
    """The same while the block runs: where blocks overlap, in several threads, till the last of them ends."""
    global _seldom_for, _thresholds_before
    with _seldom:
        _seldom_for += 1
        if _seldom_for == 1:
            _thresholds_before = gc.get_threshold()
            collect_seldom()
    try:
        yield
    finally:
        with _seldom:
            _seldom_for -= 1
            if not _seldom_for:
                gc.set_threshold(*_thresholds_before)


def resident_bytes() -> int:
    """How much memory of this process is resident; the most there ever was where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES
    except FileNotFoundError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024  # getrusage(2) of each


def trimmer() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None where another C library is."""
    import ctypes  # only a process that grew needs it

    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


class GivingBack:
    """Gives free memory back every now and then while the process is larger than it need be.

    What is freed later does not show in its size, so it tries again as long as it is larger than it was at
    its smallest; in a thread, and without the interpreter.
    """

    def __init__(self, tasks: Tasks, clock: Clock) -> None:
        self._least = resident_bytes()
        self._repeater = Repeater("giving memory back", self._give_back, tasks, clock)

    def start(self) -> None:
        """Look from now on; ends with the tasks."""
        self._repeater.within(EVERY_S)

    async def _give_back(self) -> float | None:
        before = resident_bytes()
        self._least = min(self._least, before)
        if before > self._least + WORTH_BYTES:
            trim = trimmer()
            if trim is None:
                return None
            await asyncio.to_thread(trim, 0)
            after = resident_bytes()
            self._least = min(self._least, after)
            log.debug("gave %d of %d KiB back", (before - after) >> 10, before >> 10)
            return EVERY_S if after < before - WORTH_BYTES // 8 else SELDOM_S
        return EVERY_S


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collector while the block runs, for work that only builds up: else half its time is the
    collector's, which looks at all there is again and again. It is a whole process's: keep such blocks short.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
