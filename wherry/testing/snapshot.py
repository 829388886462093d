"""A cluster's state at one moment, to go back to or to fork from: `Snapshot`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import wherry
from wherry.testing.moment import Moment
from wherry.testing.settings import Settings
from wherry.testing.snapshot_file import SnapshotError, other_version, read_snapshot, write_snapshot

if TYPE_CHECKING:
    from wherry.testing.cluster import Cluster
    from wherry.testing.faults.fault import Fault

__all__ = ["Snapshot", "SnapshotError"]


def _version() -> str:
    return wherry.__version__


def checked_snapshot(given: object) -> Snapshot:
    """`given`, if it is a snapshot. Raises SnapshotError."""
    if isinstance(given, Snapshot):
        return given
    kind = type(given).__name__
    raise SnapshotError(f"a {kind} is no snapshot; give what snapshot() or Snapshot.load(path) returned")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a cluster held, when, and what its random choices were to be. It does not change."""

    settings: Settings
    moment: Moment
    version: str = field(default_factory=_version)

    def fork(self, faults: Sequence[Fault] | None = None) -> Cluster:
        """A cluster of its own that goes on from here.

        With `faults` its own clients meet them from their start on, and their calls are written down.
        """
        from wherry.testing.cluster import Cluster

        forked = Cluster.__new__(Cluster)
        super(Cluster, forked).__init__(self.settings, self.checked(), faults)
        return forked.start()

    def checked(self) -> Moment:
        """The moment, if this version can go on from it. Raises SnapshotError."""
        if self.version != _version():
            raise SnapshotError(other_version("the snapshot", self.version, _version()))
        return self.moment

    def save(self, path: Path | str) -> None:
        """Write it to a file, whole or not at all. Raises OSError, SnapshotError.

        Its owner alone may read it: Secrets are in it.
        """
        write_snapshot(Path(path), self.settings, self.moment, self.version)

    @classmethod
    def load(cls, path: Path | str) -> Snapshot:
        """What `save` wrote, for this process or another. Raises SnapshotError; OSError when it is not there.

        Keys are never in a file: tokens and certificates that were signed before are not accepted by clusters
        that go on from it in another process.
        """
        settings, moment = read_snapshot(Path(path), _version())
        return cls(settings, moment)
