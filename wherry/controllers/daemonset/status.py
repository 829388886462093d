"""What a DaemonSet reports: sums over its nodes."""

from __future__ import annotations

from collections.abc import Mapping

from wherry.controllers.daemonset.judgement import COUNTS
from wherry.objects.meta import Object, metadata


def plan_status(daemon_set: Object, counts: Mapping[str, int]) -> Object:
    """The status with these sums; conditions and the collision count stay."""
    before = daemon_set.get("status") or {}
    kept = {name: before[name] for name in ("conditions", "collisionCount") if name in before}
    status: Object = {**kept, **{name: counts.get(name, 0) for name in COUNTS}}
    status["numberUnavailable"] = status["desiredNumberScheduled"] - status["numberAvailable"]
    status["observedGeneration"] = metadata(daemon_set).get("generation") or 0
    return status
