"""Code of installed packages, which runs in this process and may raise anything.

`SystemExit` and `KeyboardInterrupt` end an event loop, a `CancelledError` of nobody's asking ends the task
that meets it. Within `guest` and `async_guest` they become `GuestError`, a fault like any other: whoever
catches `Exception` has caught it. Whoever presses Ctrl-C while a package's code runs has to do it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_TEXT = 256
"""Characters that are kept of what a package says of its failure."""
MOST_TOLD = 16
"""So many different failures of one thing are logged."""


class GuestError(RuntimeError):
    """What a package raised, or was given up by, that would have ended more than its own work."""


@contextmanager
def guest(what: str) -> Iterator[None]:
    """Around a plain call of a package's code: raises nothing but an Exception, GuestError names `what`."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        raise GuestError(f"{what} raised {saying(error)}") from error


@contextmanager
def async_guest(what: str) -> Iterator[None]:
    """The same where it is awaited: an end that was asked of the running task is passed on."""
    task = asyncio.current_task()
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if isinstance(error, GeneratorExit) and _running() is not task:
            raise  # nobody awaits it any more: it is thrown away
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise GuestError(f"{what} raised {saying(error)}") from error


def saying(error: BaseException) -> str:
    """An exception in a short text that can be stored, even where its own words fail."""
    try:
        return plain(str(error) if isinstance(error, GuestError) else repr(error))
    except BaseException:  # noqa: BLE001 - its __repr__ is the package's as well
        return type(error).__name__


def plain(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text cut to `longest` characters, with what UTF-8 has no form for replaced."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8")


class Told:
    """Which failures were logged: each once, and only so many."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def is_new(self, text: str) -> bool:
        """Whether `text` is to be logged, which counts as done."""
        if text in self._texts or len(self._texts) >= MOST_TOLD:
            return False
        self._texts.add(text)
        return True


def _running() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs
        return None
