"""Letting others go on every few milliseconds of much work: `Portions` of one task's, `Runs` of many tasks'
small pieces, and `others`, a turn for everybody else in between.

However many tasks work, what they do in one pass of the event loop is bounded for all of a kind together:
who finds the time of the pass spent stands in line until a later pass has room.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from enum import Enum, auto
from time import perf_counter, thread_time

from wherry.kit.simulated_loop import SimulatedLoop

RUN_S = 0.005
"""What the pieces of one kind of work may take of a pass of the loop, unless told otherwise."""


class Work(Enum):
    """Kinds of work. Each has a line of its own, so that none waits for another's many."""

    REQUESTS = auto()
    """What an API server does for its clients."""
    CACHES = auto()
    """What clients' caches take in."""
    CONTROLLING = auto()
    SCHEDULING = auto()
    STORE = auto()
    """What is read from the store."""
    WRITERS = auto()
    """What writers go on with when what they wait for was decided for many of them at once."""
    NODE = auto()
    """What an agent does for those who ask it."""


class Runs:
    """Pieces of work, of however many tasks, that in one pass of the loop take `seconds` of machine time
    together, and one piece more at most.

    A piece begins with `next`. Who finds that time spent, or others in line, gets in line: as many go on in
    the next pass as its time is enough for, first come, first served. Whoever is alone waits for nobody until
    the time is spent, and then for one pass. In simulated time all is one run (see `Portions`).
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began: float | None = None
        """When the first piece of this pass began; None: there was none yet."""
        self._is_coming = False
        """Whether the loop will say that it came round. It does as long as anybody is in line."""
        self._line: OrderedDict[object, asyncio.Future[None]] = OrderedDict()
        self._called = 0
        self._went = 0

    async def next(self) -> None:
        """Begin a piece: at once if there is room, else when there is."""
        if not self.has_room:
            await self.wait()

    @property
    def end(self) -> float:
        """Until when whoever comes now, or was just called, may work on in this pass, by `perf_counter`."""
        return (self._began or 0.0) + self.seconds

    @property
    def has_room(self) -> bool:
        """Whether a piece may begin at once; then it has begun."""
        return not self._line and self._fits()

    async def wait(self) -> None:
        """Begin a piece in a later pass than this, as soon as there is room."""
        loop = asyncio.get_running_loop()
        if _is_simulated(loop):
            await asyncio.sleep(0)
            return
        if not self._is_coming:
            self._is_coming = True
            loop.call_soon(self._came_round)
        place, is_first = object(), not self._line
        try:
            while True:
                # A place is kept until its task goes on, so that nobody gets in before it.
                called = self._line[place] = loop.create_future()
                if is_first:
                    called.set_result(None)  # there is nobody to wait for but the loop
                    await asyncio.sleep(0)
                    is_first = False
                else:
                    await called
                if self._fits():
                    self._went += 1
                    return
        finally:
            del self._line[place]

    def _fits(self) -> bool:
        if self._began is not None:
            return perf_counter() < self._began + self.seconds
        loop = asyncio.get_running_loop()
        if not _is_simulated(loop):
            self._began = perf_counter()
            if not self._is_coming:
                self._is_coming = True
                loop.call_soon(self._came_round)
        return True

    def _came_round(self) -> None:
        """Call those in front: twice as many as the last time if all of them went on, else as many as did.

        To call all would cost each pass as much as there are tasks.
        """
        self._began = None
        if not self._line:
            self._is_coming = False
            self._called = 0
            return
        most = self._called * 2 if self._went >= self._called else self._went
        self._called = self._went = 0
        for called in self._line.values():
            if not called.done():
                called.set_result(None)
            self._called += 1
            if self._called >= most:
                break
        asyncio.get_running_loop().call_soon(self._came_round)


class Portions:
    """One task's work in portions of `RUN_S` of the machine's time, the first of which begins now.

    They share each pass of the loop with all other `work` of that kind. In simulated time nobody waits, and
    how fast the machine is must not decide what happens first: all of it is one portion then.
    """

    def __init__(self, work: Work) -> None:
        self._is_one = _is_simulated(asyncio.get_running_loop())
        self._runs = runs_of(work)
        self._end = 0.0
        self.begin()

    async def next(self) -> bool:
        """Let others go on if the portion has had its time; whether they did."""
        if not self.is_over:
            return False
        await self._runs.wait()
        self._end = self._runs.end
        return True

    @property
    def is_over(self) -> bool:
        """Whether the portion has had its time; at once where others are in line for it."""
        return not self._is_one and perf_counter() >= self._end

    def begin(self) -> None:
        """Begin the next portion: others went on."""
        self._end = self._runs.end if self._runs.has_room else 0.0

    def since(self, began: float) -> float:
        """Seconds of work of this thread since `began` (of `thread_time`); none in simulated time."""
        return 0.0 if self._is_one else thread_time() - began


def runs_of(work: Work) -> Runs:
    """The runs of a kind of work on the running loop."""
    loop = asyncio.get_running_loop()
    if getattr(_here, "loop", None) is not loop:
        _here.loop, _here.runs = loop, {kind: Runs(RUN_S) for kind in Work}
    runs: Runs = _here.runs[work]
    return runs


async def others(work: Work) -> None:
    """Let everybody else have a turn, and go on when there is room for more of this kind."""
    await runs_of(work).wait()


_here = threading.local()
"""The last loop that ran in a thread, and its runs."""


def _is_simulated(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, SimulatedLoop) and loop.is_simulated
