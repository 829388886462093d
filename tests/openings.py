"""Whether anything in a directory was opened, as the kernel tells (inotify(7)); looking opens nothing."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OPEN = 0x20
_HEAD = struct.Struct("iIII")


@contextmanager
def openings(directory: Path) -> Iterator[list[str]]:
    """The names of what was opened in `directory` in the meantime, each once; filled at the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    opened: list[str] = []
    try:
        added = libc.inotify_add_watch(descriptor, os.fsencode(directory), _OPEN)
        assert added >= 0, os.strerror(ctypes.get_errno())
        yield opened
        try:
            told = os.read(descriptor, 64 * 1024)
        except BlockingIOError:
            return
        while told:
            length = _HEAD.unpack_from(told)[3]
            name = os.fsdecode(told[_HEAD.size : _HEAD.size + length].rstrip(b"\0"))
            told = told[_HEAD.size + length :]
            if name and name not in opened:
                opened.append(name)
    finally:
        os.close(descriptor)
