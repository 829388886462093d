"""Cgroups by their path: where one exists, who is in it, and its removal with all below it.

With cgroup v1 the same path exists once below every controller, with v2 once.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from wherry.kit.trees import remove_directories, walk

CGROUPS = Path("/sys/fs/cgroup")


def cgroup_directories(path: str, root: Path = CGROUPS) -> list[Path]:
    """Where the cgroup `path` (as in a pod's cgroup parent) exists."""
    relative = path.strip("/")
    if not relative or not root.is_dir():
        return []
    if (root / "cgroup.controllers").exists():
        candidates = [root / relative]
    else:
        candidates = [controller / relative for controller in root.iterdir() if not controller.is_symlink()]
    return [directory for directory in candidates if directory.is_dir()]


def remove_cgroup(path: str, root: Path = CGROUPS) -> bool:
    """Remove the cgroup `path` with all below it; whether it is gone.

    Those with processes in them stay: whoever ends these comes by again. Raises OSError.
    """
    gone = [remove_directories(directory) for directory in cgroup_directories(path, root)]
    return all(gone)


def processes_in(path: str, root: Path = CGROUPS) -> set[int]:
    """The processes in the cgroup `path` and below it."""
    found: set[int] = set()
    for directory in cgroup_directories(path, root):
        for descriptor, _ in walk(directory):
            found.update(_processes(descriptor))
    return found


def _processes(cgroup: int) -> list[int]:
    """The processes listed in the open cgroup; none in one that vanished (reading says ENODEV then)."""
    try:
        file = os.open("cgroup.procs", os.O_RDONLY | os.O_CLOEXEC, dir_fd=cgroup)
        with os.fdopen(file) as lines:
            return [int(line) for line in lines]
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENODEV):
            raise
        return []
