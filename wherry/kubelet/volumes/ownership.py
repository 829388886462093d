"""Giving a volume to a pod's `fsGroup`, so that processes of that group can write to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wherry.kit.trees import walk

GROUP_RW = 0o660
GROUP_DIRECTORY = stat.S_ISGID | 0o110


def give_to_group(path: Path, gid: int) -> None:
    """Make everything at and below `path` belong to `gid`, readable and writable for it.

    New files inherit the group. Raises OSError.
    """
    for directory, folders in walk(path):
        with os.scandir(directory) as entries:
            names = {entry.name for entry in entries}
        for name in names.difference(folders):
            _give_entry(name, directory, gid)
        _give(directory, gid)


def _give_entry(name: str, directory: int, gid: int) -> None:
    try:
        entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return
    try:
        if stat.S_ISLNK(os.fstat(entry).st_mode):
            os.chown(name, -1, gid, dir_fd=directory, follow_symlinks=False)
        else:
            _give(entry, gid)
    finally:
        os.close(entry)


def _give(opened: int, gid: int) -> None:
    path = f"/proc/self/fd/{opened}"  # descriptors opened with O_PATH can be changed by this name only
    state = os.fstat(opened)
    os.chown(path, -1, gid)
    mode = stat.S_IMODE(state.st_mode) | GROUP_RW
    if stat.S_ISDIR(state.st_mode):
        mode |= GROUP_DIRECTORY
    os.chmod(path, mode)  # noqa: PTH101 - a descriptor's name, no path
