"""How much a directory tree takes on disk: `du`, by descriptors and for a bounded time."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.trees import descend

_LOOK_EVERY = 256
"""So many entries are counted between two looks at the clock."""
_BLOCK = 512
"""The unit of `st_blocks`, whatever the file system's is."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Disk space in bytes, and inodes; `is_least` tells that there may be more of both."""

    bytes: int = 0
    inodes: int = 0
    is_least: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.bytes + other.bytes, self.inodes + other.inodes, self.is_least or other.is_least)


def disk_usage(path: Path, limit_s: float) -> tuple[Usage, float]:
    """What the file or tree at `path` takes, and for how many seconds it was looked at.

    After `limit_s` seconds the rest is left out. Links are not followed, other mounts not entered, a file
    with several names counts once; what vanishes meanwhile or cannot be read counts nothing.
    """
    began = time.monotonic()
    try:
        own = os.lstat(path)
    except OSError:
        return Usage(), time.monotonic() - began
    count = _Count(began + limit_s, own.st_blocks * _BLOCK)
    try:
        descend(path, count.look)
    except OSError:
        count.is_least = True
    return Usage(count.bytes, count.inodes, count.is_least), time.monotonic() - began


class _Count:
    """What has been counted so far; each directory is read once, and the clock is looked at meanwhile."""

    def __init__(self, deadline: float, own_bytes: int) -> None:
        self.bytes = own_bytes
        self.inodes = 1
        self.is_least = False
        self._deadline = deadline
        self._seen = 0
        self._several: set[tuple[int, int]] = set()

    def look(self, directory: int) -> list[str] | None:
        """Count what is in a directory; its subdirectories, None when the time is over."""
        names: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self._seen += 1
                    if self._seen % _LOOK_EVERY == 0 and time.monotonic() > self._deadline:
                        self.is_least = True
                        return None
                    if self._add(entry):
                        names.append(entry.name)
        except FileNotFoundError:
            return []  # it was removed while it was open
        return names

    def _add(self, entry: os.DirEntry[str]) -> bool:
        """Count one entry; whether it is a directory."""
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            return False
        is_directory = stat.S_ISDIR(found.st_mode)
        if found.st_nlink > 1 and not is_directory:
            name = (found.st_dev, found.st_ino)
            if name in self._several:
                return False
            self._several.add(name)
        self.bytes += found.st_blocks * _BLOCK
        self.inodes += 1
        return is_directory
