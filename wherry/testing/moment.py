"""A cluster's state at one moment: `Moment`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherry.store.memory import Image


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that a cluster can begin from.

    `random` is what `Random.getstate` gave. `is_founded` says that the store holds what this process's first
    start of a cluster leaves, its certificate authority included.
    """

    store: Image
    wall: datetime
    random: Any
    is_founded: bool = True
