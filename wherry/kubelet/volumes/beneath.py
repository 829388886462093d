"""Opening files in a volume, and nothing outside it, whatever its containers do meanwhile.

A container that can write to a volume can put a symbolic link anywhere in it at any moment. The kernel
resolves the path as if the volume were all there is (openat2(2), RESOLVE_IN_ROOT): links lead to what a
container would find there.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

from wherry.kit.plain_files import open_found

_OPENAT2 = 437
"""The number is the same on every architecture."""
_NO_MAGICLINKS, _IN_ROOT = 0x02, 0x10


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_in_root(root: Path, path: str, flags: int) -> int:
    """A descriptor of `path` in `root`. Raises OSError."""
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = _OpenHow(flags | os.O_CLOEXEC, 0, _IN_ROOT | _NO_MAGICLINKS)
        libc = ctypes.CDLL(None, use_errno=True)
        found: int = libc.syscall(_OPENAT2, base, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
        if found < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
        return found
    finally:
        os.close(base)


def open_plain_in_root(root: Path, path: str, *, directories: bool = False) -> int:
    """A descriptor to read the regular file (or directory) `path` in `root`. Raises OSError, NotPlain."""
    found = open_in_root(root, path, os.O_PATH)
    try:
        return open_found(found, path, directories=directories)
    finally:
        os.close(found)


def read_in_root(root: Path, path: str, most_bytes: int) -> bytes:
    """What a file of a volume holds. Raises OSError, also for what is no plain file or too large."""
    with os.fdopen(open_plain_in_root(root, path), "rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"is larger than {most_bytes} bytes", path)
    return data
