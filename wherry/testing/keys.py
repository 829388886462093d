"""The keys of all test clusters of one process: made when first needed, gone with the process."""

from __future__ import annotations

import atexit
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
_made: list[Path] = []
_found: list[Identities] = []


def scratch() -> Path:
    """A directory for files of this process's clusters, readable by nobody else."""
    with _lock:
        if not _made:
            _made.append(Path(tempfile.mkdtemp(prefix="wherry-test-")))
            atexit.register(remove_tree, _made[0])
        return _made[0]


def make() -> Identities:
    """The keys, made when they are asked for the first time."""
    with _lock:
        if not _found:
            directory = scratch()
            paths = ClusterPaths.of(SETUP.cluster.name, directory / "data", directory / "run")
            _found.append(ensure_identities(SETUP, paths, "127.0.0.1", datetime.now(UTC), lasts=False))
        return _found[0]
