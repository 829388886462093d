"""How long a Job waits before it replaces pods that failed. Source: pkg/controller/job, backoff_utils.go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from wherry.api.core.pod_conditions import find_condition
from wherry.objects.meta import Object, later, metadata, parse_time

FIRST_S = 10.0
LONGEST_S = 600.0
"""MaxJobPodFailureBackOff: upstream's pages say six minutes, its code ten."""

LONGEST_GRACE_S = 2**31
"""A grace period may be any number of 64 bits; a time that long before another there is not."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The failures in a row since a pod last succeeded, and when the latest was."""

    failures: int = 0
    latest: datetime | None = None

    def after(self, succeeded: Iterable[Object], failed: Iterable[Object]) -> Backoff:
        """The same once these pods have ended too."""
        successes = sorted(finished_at(pod) for pod in succeeded)
        failures = sorted(finished_at(pod) for pod in failed)
        if successes:
            failures = [moment for moment in failures if moment > successes[-1]]
            return Backoff(len(failures), failures[-1]) if failures else Backoff()
        return Backoff(self.failures + len(failures), failures[-1]) if failures else self

    def remaining_s(self, now: datetime) -> float:
        """How long no pod is to be made yet, in seconds."""
        return remaining_s(self.failures, self.latest, now)


def remaining_s(failures: int, latest: datetime | None, now: datetime) -> float:
    """How long to wait after so many failures in a row, the latest at `latest`."""
    if failures <= 0 or latest is None:
        return 0.0
    wait_s = min(FIRST_S * 2.0 ** min(failures - 1, 30), LONGEST_S)
    # A failure that lies ahead (the clock was set back) is waited for no longer than one that is new.
    return min(max(0.0, wait_s - (now - latest).total_seconds()), wait_s)


def finished_at(pod: Object) -> datetime:
    """When the pod ended, as far as can be told."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [((c.get("state") or {}).get("terminated") or {}).get("finishedAt") or "" for c in containers]
    if ends and all(ends):
        return max(map(parse_time, ends))
    ready = find_condition(pod, "Ready")
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    meta = metadata(pod)
    if meta.get("deletionTimestamp"):
        grace_s = min(meta.get("deletionGracePeriodSeconds") or 0, LONGEST_GRACE_S)
        return later(parse_time(meta["deletionTimestamp"]), -grace_s)
    return parse_time(meta["creationTimestamp"])
