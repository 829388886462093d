"""How commands speak: results to standard output, progress and complaints to standard error.

Colours and moving displays only on a terminal; anywhere else progress is plain lines, so logs of CI
stay readable.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


def print_json(value: Any) -> bool:
    """One JSON document, for scripts. Whether somebody reads it."""
    return _write(sys.stdout, json.dumps(value, indent=2) + "\n")


def say(line: str = "") -> bool:
    """A line of the result. Whether somebody reads it."""
    return _write(sys.stdout, plain(line) + "\n")


def complain(line: str) -> None:
    """A line about something that went wrong."""
    _write(sys.stderr, f"wherry: {plain(line)}\n")


def plain(text: str) -> str:
    """`text` with what would steer a terminal written out (`\\x1b`): names come from strangers' archives."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)


def _write(stream: TextIO, text: str) -> bool:
    """Write at once. A reader that has gone (`| head -1`) is no reason to stop what was asked for.

    From then on the stream leads nowhere; whether it still led somewhere.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        return False
    return True


class Steps:
    """Progress of something that takes more than a moment: named steps with their time."""

    def __init__(self, show: bool = True) -> None:
        self._moving = show and sys.stderr.isatty()
        self._show = show

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show that `what` goes on, and how long it took once it is done."""
        if not self._show:
            yield
            return
        started = time.monotonic()
        if self._moving:
            from rich.console import Console

            with Console(stderr=True).status(what):
                yield
        else:
            yield
        took_s = time.monotonic() - started
        mark = "\033[32m✓\033[0m" if self._moving else "*"
        _write(sys.stderr, f"{mark} {plain(what)} ({took_s:.1f} s)\n")


def human_bytes(count: int) -> str:
    """`87.4 MB` for 91,640,000 or so: binary megabytes, one decimal."""
    return f"{count / (1 << 20):.1f} MB"
