"""How commands speak: results to standard output, progress and complaints to standard error.

Colours and moving displays only on a terminal; anywhere else progress is plain lines, so logs of CI
stay readable.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wherry.cli.failures import Failure

COMPLETING = "_WHERRY_COMPLETE"
"""Set where a completion script asks, not a person."""


def print_json(value: Any) -> bool:
    """One JSON document, for scripts. Whether somebody reads it."""
    return _write(sys.stdout, json.dumps(value, indent=2) + "\n")


def say(line: str = "") -> bool:
    """A line of the result. Whether somebody reads it."""
    return _write(sys.stdout, plain(line) + "\n")


def complain(line: str) -> None:
    """A line about something that went wrong."""
    tell(f"wherry: {line}")


def tell(line: str, end: str = "\n") -> None:
    """A line of progress, beside the results."""
    with suppress(Failure):  # there is nowhere left to say it
        _write(sys.stderr, plain(line) + end)


def plain(text: str) -> str:
    """`text` with what would steer a terminal written out (`\\x1b`): names come from strangers' archives."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or sign in "\n\t" else ascii(sign)[1:-1] for sign in text)


def _write(stream: TextIO, text: str) -> bool:
    """Write at once; whether somebody reads it. Raises Failure where it cannot be written.

    A reader that has gone (`| head -1`) is no reason to stop what was asked for.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _lead_nowhere(stream)
        return False
    except OSError as error:
        _lead_nowhere(stream)
        which = "stdout" if stream is sys.stdout else "stderr"
        raise Failure(f"{which} cannot be written: {error.strerror}") from None
    return True


def _lead_nowhere(stream: TextIO) -> None:
    """Let a stream that failed take everything from now on, what Python writes out at the end included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def open_what_is_closed() -> None:
    """Give this process the three streams it was started without (`>&-`); what is written there fails.

    Else the next file that is opened gets their numbers, and is written to.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number: this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


@contextmanager
def results_written() -> Iterator[None]:
    """What others print to standard output within (help texts) fails as `say` does. Raises Failure."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno == errno.EPIPE:
            raise
        _lead_nowhere(sys.stdout)
        raise Failure(f"stdout cannot be written: {error.strerror}") from None


class Steps:
    """Progress of something that takes more than a moment: named steps with their time."""

    def __init__(self, show: bool = True) -> None:
        self._moving = show and sys.stderr.isatty()
        self._show = show

    def tell(self, what: str) -> None:
        """Say what is about to happen."""
        if self._show:
            tell(f"* {what}")

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
        with suppress(Failure):
            _write(sys.stderr, f"{mark} {plain(what)} ({took_s:.1f} s)\n")


def human_bytes(count: int) -> str:
    """`87.4 MB` for 91,640,000 or so: binary megabytes, one decimal."""
    return f"{count / (1 << 20):.1f} MB"
