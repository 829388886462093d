"""Opening what may be no plain file, in places that containers write to: looked at first, opened after.

To open a pipe lets in a program that waits to write into it, and to close it again kills that program; to
open a device does what its driver says, as this machine's root. So nothing is opened by name: the kernel
gives a descriptor that opens nothing (open(2), O_PATH), that is looked at, and only what turned out to be
plain is opened by it. No link is followed.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class NotPlain(OSError):
    """A link, a pipe, a device, a socket, or a directory that will not do: it was not opened."""


def open_plain(
    path: str | Path, flags: int = os.O_RDONLY, *, dir_fd: int | None = None, directories: bool = False
) -> int:
    """A descriptor of the regular file at `path`, or directory if these will do. Raises OSError, NotPlain."""
    found = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        return open_found(found, str(path), flags, directories=directories)
    finally:
        os.close(found)


def open_found(found: int, path: str, flags: int = os.O_RDONLY, *, directories: bool = False) -> int:
    """The same of what an O_PATH descriptor shows, which stays open. Raises OSError, NotPlain."""
    mode = os.fstat(found).st_mode
    if stat.S_ISLNK(mode):
        raise NotPlain(errno.ELOOP, os.strerror(errno.ELOOP), path)
    if not stat.S_ISREG(mode) and not (directories and stat.S_ISDIR(mode)):
        raise NotPlain(errno.EINVAL, "is no regular file", path)
    try:
        # Without O_NONBLOCK, whoever holds a lease of the file lets us wait for it.
        return os.open(f"/proc/self/fd/{found}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
