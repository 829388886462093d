"""A cluster's state at one moment: `Snapshot`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import wherry
from wherry.testing.settings import Settings
from wherry.testing.world import Moment

if TYPE_CHECKING:
    from wherry.testing.cluster import Cluster


class SnapshotError(ValueError):
    """The snapshot cannot be used here; the message says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a cluster held, when, and what its random choices were to be. It does not change."""

    settings: Settings
    moment: Moment
    version: str = wherry.__version__

    def fork(self) -> Cluster:
        """A cluster of its own that goes on from here."""
        from wherry.testing.cluster import Cluster

        forked = Cluster.__new__(Cluster)
        super(Cluster, forked).__init__(self.settings, self.checked())
        return forked.start()

    def checked(self) -> Moment:
        """The moment, if this version can go on from it. Raises SnapshotError."""
        if self.version != wherry.__version__:
            raise SnapshotError(
                f"the snapshot was taken by Wherry {self.version}, this is {wherry.__version__}: take it anew"
            )
        return self.moment
