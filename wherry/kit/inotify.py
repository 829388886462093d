"""Hearing of changes to a directory's files from the kernel, on the event loop.

A watch on the directory sees what is appended to its files as well as files that are renamed and
made anew, which is what rotating a log does.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path
from types import TracebackType

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
GROWTH = _MODIFY | _MOVED_FROM | _CREATE | _DELETE
"""What is appended to the files, and what becomes of them."""
WHOLE_FILES = _CLOSE_WRITE | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
"""Files that come, are written to their end, and go; and the end of the directory itself."""
_NONBLOCK = 0o4000
_CLOEXEC = 0o2000000


class DirectoryWatch:
    """A watch to be used as a context manager; only one task may wait on it."""

    def __init__(self, directory: Path, mask: int = GROWTH) -> None:
        """Raises OSError."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify cannot be used")
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), mask) < 0:
            number = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(number, os.strerror(number), str(directory))
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._on_readable)

    def __enter__(self) -> DirectoryWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def wait(self) -> None:
        """Return when something has changed since the last time this returned."""
        await self._changed.wait()
        self._changed.clear()

    def _on_readable(self) -> None:
        # What exactly happened does not matter: the reader looks at the file again.
        os.read(self._fd, 64 * 1024)
        self._changed.set()
