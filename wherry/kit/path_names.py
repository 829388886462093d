"""Names that become part of a path: one name is one step down, never a way up, across or out."""

from __future__ import annotations

import errno

_LONGEST_BYTES = 255
"""NAME_MAX of Linux's file systems."""


class BadPathName(OSError):
    """Something that was to be a name in a directory is none: nothing is made or removed by it."""


def one_name(text: str) -> str:
    """`text`, which is the name of one entry of a directory. Raises BadPathName when it is anything else."""
    if text in ("", ".", "..") or "/" in text or "\0" in text or len(text.encode()) > _LONGEST_BYTES:
        shown = text if len(text) <= _LONGEST_BYTES else f"{text[:_LONGEST_BYTES]}..."
        raise BadPathName(errno.EINVAL, "this is not the name of one file or directory", repr(shown))
    return text
