"""Giving a volume to a pod's `fsGroup`, so that processes of that group can write to it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

GROUP_RW = 0o660
GROUP_DIRECTORY = stat.S_ISGID | 0o110


def give_to_group(path: Path, gid: int, *, only_root: bool = False) -> None:
    """Make everything at and below `path` belong to `gid`, readable and writable for it.

    `only_root` (fsGroupChangePolicy OnRootMismatch) skips all when the top is right already. New files
    inherit the group. Raises OSError.
    """
    top = path.lstat()
    if only_root and top.st_gid == gid and top.st_mode & GROUP_DIRECTORY == GROUP_DIRECTORY:
        return
    for folder, folders, files in os.walk(path):
        _give(Path(folder), gid)
        for name in files:
            _give(Path(folder) / name, gid)
        folders[:] = [name for name in folders if not (Path(folder) / name).is_symlink()]


def _give(path: Path, gid: int) -> None:
    state = path.lstat()
    os.chown(path, -1, gid, follow_symlinks=False)
    if stat.S_ISLNK(state.st_mode):
        return
    mode = stat.S_IMODE(state.st_mode) | GROUP_RW
    if stat.S_ISDIR(state.st_mode):
        mode |= GROUP_DIRECTORY
    path.chmod(mode)
