"""How commands speak: results to standard output, progress and complaints to standard error.

Colours and moving displays only on a terminal; anywhere else progress is plain lines, so logs of CI
stay readable.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def print_json(value: Any) -> None:
    """One JSON document, for scripts."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def say(line: str = "") -> None:
    """A line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """A line about something that went wrong."""
    sys.stderr.write(f"wherry: {line}\n")


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
        sys.stderr.write(f"{mark} {what} ({took_s:.1f} s)\n")


def human_bytes(count: int) -> str:
    """`87.4 MB` for 91,640,000 or so: binary megabytes, one decimal."""
    return f"{count / (1 << 20):.1f} MB"
