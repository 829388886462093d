"""`/debug/pprof/`: where the agent spends its time. What Go's profiles are for, in text.

`profile` looks at every thread a hundred times a second and tells how often each stack was met, one a line
with its count ("folded", as flame graphs are drawn from); `goroutine` shows every task and thread as it
stands.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import time
import traceback
from collections import Counter
from types import FrameType
from urllib.parse import parse_qs

from wherry.kit.httpd.message import Request, Response
from wherry.kit.integers import parse_unsigned
from wherry.kubelet.server.answers import NotServed, text

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
    """The pages; one profile is taken at a time."""

    def __init__(self) -> None:
        self._is_taking = False

    async def page(self, request: Request) -> Response:
        """`/debug/pprof/NAME`. Raises NotServed."""
        name = request.path.removeprefix(BASE).strip("/")
        if not name:
            return text(_INDEX)
        if name == "cmdline":
            return text("\x00".join(sys.orig_argv))
        if name == "goroutine":
            return text(_stacks())
        if name != "profile":
            raise NotServed("Unknown profile\n", 404)
        asked = parse_qs(request.query).get("seconds", [str(DEFAULT_S)])[0]
        seconds = parse_unsigned(asked, LONGEST_S)
        if not seconds:
            raise NotServed(f"seconds: {asked!r} is not from 1 to {LONGEST_S}\n", 400)
        if self._is_taking:
            raise NotServed("Could not enable CPU profiling: cpu profiling already in use\n", 500)
        self._is_taking = True
        try:
            return text(await asyncio.to_thread(_take, seconds))
        finally:
            self._is_taking = False


def _take(seconds: float) -> str:
    """The stacks of all other threads, folded."""
    met: Counter[str] = Counter()
    own = threading.get_ident()
    end, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < end:
        for thread, frame in sys._current_frames().items():
            if thread != own:
                met[_folded(frame)] += 1
        pause.wait(EVERY_S)
    return "".join(f"{stack} {count}\n" for stack, count in met.most_common())


def _folded(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        names.append(f"{module}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return ";".join(reversed(names))


def _stacks() -> str:
    out = io.StringIO()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        out.write(f"thread {names.get(ident, ident)}:\n")
        out.write("".join(traceback.format_stack(frame)) + "\n")
    for task in asyncio.all_tasks():
        out.write(f"task {task.get_name()}:\n")
        task.print_stack(file=out)
        out.write("\n")
    return out.getvalue()
