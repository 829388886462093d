"""`/debug/pprof/`: where the agent spends its time. What Go's profiles are for, in text.

`profile` looks at every thread a hundred times a second and tells how often each stack was met, one a line
with its count ("folded", as flame graphs are drawn from); `goroutine` shows every task and thread as it
stands.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from traceback import StackSummary, walk_stack
from types import FrameType
from urllib.parse import parse_qs

from wherry.kit.httpd.message import Request, Response
from wherry.kit.integers import parse_unsigned
from wherry.kit.portions import Portions, Work
from wherry.kit.tasks import shared
from wherry.kubelet.masked import shown_arguments
from wherry.kubelet.server.answers import NotServed, text

log = logging.getLogger(__name__)

BASE = "/debug/pprof"
DEFAULT_S = 30
LONGEST_S = 300
EVERY_S = 0.01
_INDEX = (
    "/debug/pprof/\n\nTypes of profiles available:\n"
    "cmdline\tThe command line of the process.\n"
    "goroutine\tStacks of all tasks and threads.\n"
    "profile\tStacks met in a while (seconds=30), folded, with how often each was.\n"
)


class Profiling:
    """The pages; one profile is taken at a time, and no longer than somebody waits for it."""

    def __init__(self) -> None:
        self.is_taking = False
        """Whether the thread of a profile runs, even of one nobody waits for any more."""

    async def page(self, request: Request) -> Response:
        """`/debug/pprof/NAME`. Raises NotServed."""
        name = request.path.removeprefix(BASE).strip("/")
        if not name:
            return text(_INDEX)
        if name == "cmdline":
            return text("\x00".join(shown_arguments(sys.orig_argv)))
        if name == "goroutine":
            return text(await _stacks())
        if name != "profile":
            raise NotServed("Unknown profile\n", 404)
        asked = parse_qs(request.query).get("seconds", [str(DEFAULT_S)])[0]
        seconds = parse_unsigned(asked, LONGEST_S)
        if not seconds:
            raise NotServed(f"seconds: {asked!r} is not from 1 to {LONGEST_S}\n", 400)
        if self.is_taking:
            raise NotServed("Could not enable CPU profiling: cpu profiling already in use\n", 500)
        return text(await self._profile(seconds))

    async def _profile(self, seconds: float) -> str:
        # A thread of its own: those the loop shares among all (they resolve names, too) are few.
        thread = ThreadPoolExecutor(1, thread_name_prefix="profile")
        gone = threading.Event()
        try:
            taking = asyncio.get_running_loop().run_in_executor(thread, _take, seconds, gone)
            self.is_taking = True
            taking.add_done_callback(self._ended)
            return await shared(taking, "a profile")
        finally:
            gone.set()
            thread.shutdown(wait=False)

    def _ended(self, taking: asyncio.Future[str]) -> None:
        """The thread has ended, which is later than its request where that was given up."""
        self.is_taking = False
        if not taking.cancelled() and (error := taking.exception()) is not None:
            log.warning("a profile could not be taken: %s", error)


def _take(seconds: float, gone: threading.Event) -> str:
    """The stacks of all other threads, folded; of no longer than until nobody waits for them any more."""
    met: Counter[str] = Counter()
    own = threading.get_ident()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not gone.is_set():
        for thread, frame in sys._current_frames().items():
            if thread != own:
                met[_folded(frame)] += 1
        gone.wait(EVERY_S)
    return "".join(f"{stack} {count}\n" for stack, count in met.most_common())


def _folded(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        names.append(f"{module}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return ";".join(reversed(names))


async def _stacks() -> str:
    """Those of threads as they stand now; tasks in portions, so that thousands of them hold nobody up."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    met = {
        # Source lines are read from files: later, and not on the loop.
        str(names.get(ident, ident)): StackSummary.extract(walk_stack(frame), lookup_lines=False)
        for ident, frame in sys._current_frames().items()
    }
    for stack in met.values():
        stack.reverse()  # the call that led to all others first, as in a traceback
    out = io.StringIO()
    out.write(await asyncio.to_thread(_threads_text, met))
    portions = Portions(Work.NODE)
    for task in asyncio.all_tasks():
        await portions.next()
        out.write(f"task {task.get_name()}:\n")
        for frame in task.get_stack():
            # `Task.print_stack` fails where a frame has no line, as that of a compiled coroutine.
            code = frame.f_code
            line = frame.f_lineno or code.co_firstlineno
            out.write(f'  File "{code.co_filename}", line {line}, in {code.co_qualname}\n')
        out.write("\n")
    return out.getvalue()


def _threads_text(stacks: Mapping[str, StackSummary]) -> str:
    return "".join(f"thread {name}:\n{''.join(stack.format())}\n" for name, stack in stacks.items())
