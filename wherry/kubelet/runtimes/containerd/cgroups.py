"""Cgroups that containers leave: the pods' own, above runc's, which runc does not remove.

With cgroup v1 the same path exists once below every controller, with v2 once.
"""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cgroup_directories(path: str, root: Path = CGROUPS) -> list[Path]:
    """Where the cgroup `path` (as in a pod's cgroup parent) exists."""
    relative = path.strip("/")
    if not relative:
        return []
    if (root / "cgroup.controllers").exists():
        candidates = [root / relative]
    else:
        candidates = [controller / relative for controller in root.iterdir() if not controller.is_symlink()]
    return [directory for directory in candidates if directory.is_dir()]


def remove_cgroup(path: str, root: Path = CGROUPS) -> None:
    """Remove the cgroup `path` with all below it; those with processes in them stay."""
    for directory in cgroup_directories(path, root):
        below = sorted(directory.rglob("*/"), reverse=True)
        for child in (*below, directory):
            try:
                child.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                # Busy: a process is in it. Whoever ends that one comes by again.
                break


def processes_in(path: str, root: Path = CGROUPS) -> set[int]:
    """The processes in the cgroup `path` and below it."""
    found: set[int] = set()
    for directory in cgroup_directories(path, root):
        for file in (directory / "cgroup.procs", *directory.rglob("cgroup.procs")):
            try:
                found.update(int(line) for line in file.read_text().split())
            except FileNotFoundError:
                continue
    return found
