"""That a pod must go, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a pod goes, for its status and its event; it has `grace_s` seconds.

    `is_disruption` tells that it goes for the node's sake, which its DisruptionTarget condition shows.
    Without `is_told` there is no event.
    """

    reason: str
    message: str
    grace_s: int | None = None
    """None: as long as the pod itself says."""
    is_disruption: bool = False
    is_told: bool = True
    annotations: Mapping[str, str] = field(default_factory=dict)
    """For the event."""
