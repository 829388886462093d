"""The keys of all test clusters of one process: made when first needed, gone with the process.

A process that is killed leaves its directory. Each holds a lock on its own as long as it lives, by which the
next one knows those of the dead, and removes them.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

from wherry.cluster.config import Setup
from wherry.cluster.identities import Identities, ensure_identities
from wherry.cluster.paths import ClusterPaths
from wherry.kit.trees import remove_tree

SETUP = Setup.of("test", node_name="node-0", runtime="simulated")
"""Whom the certificates are for."""
_lock = threading.RLock()
PREFIX = "wherry-test-keys-"
_made: list[Path] = []
_found: list[Identities] = []


def scratch() -> Path:
    """A directory for files of this process's clusters, readable by nobody else."""
    with _lock:
        if not _made:
            remove_what_the_dead_left(Path(tempfile.gettempdir()))
            _made.append(_new_directory())
            atexit.register(_remove_own, _made[0], os.getpid())
        return _made[0]


def _remove_own(directory: Path, process: int) -> None:
    """Remove what that process made at its own end, not at that of a child that was forked from it."""
    if os.getpid() == process:
        remove_tree(directory)


def _new_directory() -> Path:
    """A directory with this process's lock on it, which is open to the process's end."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=PREFIX))
        if _locked(made) is not None and made.exists():  # else somebody took it for that of a dead process
            return made


def _locked(directory: Path) -> int | None:
    """A descriptor that holds the directory's lock; None when another process has it, or it is gone."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def remove_what_the_dead_left(place: Path) -> None:
    """Remove the directories below `place` of this user's processes that are no more."""
    for found in place.glob(f"{PREFIX}*"):
        try:
            is_ours = found.lstat().st_uid == os.getuid()
        except OSError:
            continue  # gone meanwhile
        lock = _locked(found) if is_ours else None
        if lock is not None:
            remove_tree(found)
            os.close(lock)


def make() -> Identities:
    """The keys, made when they are asked for the first time."""
    with _lock:
        if not _found:
            directory = scratch()
            paths = ClusterPaths.of(SETUP.cluster.name, directory / "data", directory / "run")
            _found.append(ensure_identities(SETUP, paths, "127.0.0.1", datetime.now(UTC), lasts=False))
        return _found[0]
