"""How much a directory tree takes on disk: `du`, by descriptors and for a bounded time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from wherry.kit.trees import walk

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
    deadline = began + limit_s
    try:
        own = os.lstat(path)
    except OSError:
        return Usage(), time.monotonic() - began
    total, inodes, is_least = own.st_blocks * _BLOCK, 1, False
    several: set[tuple[int, int]] = set()
    count = 0
    try:
        for directory, _ in walk(path):
            with os.scandir(directory) as entries:
                for entry in entries:
                    count += 1
                    if count % _LOOK_EVERY == 0 and time.monotonic() > deadline:
                        break
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if found.st_nlink > 1 and not entry.is_dir(follow_symlinks=False):
                        name = (found.st_dev, found.st_ino)
                        if name in several:
                            continue
                        several.add(name)
                    total += found.st_blocks * _BLOCK
                    inodes += 1
            if time.monotonic() > deadline:
                is_least = True
                break
    except OSError:
        is_least = True
    return Usage(total, inodes, is_least), time.monotonic() - began
