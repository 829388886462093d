"""Which ended jobs of a CronJob are kept: so many of those that succeeded, so many of those that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.api.batch.job_status import COMPLETE, FAILED, end_of
from wherry.objects.meta import Object, name_of

_LIMITS = ((COMPLETE, "successfulJobsHistoryLimit"), (FAILED, "failedJobsHistoryLimit"))


def ending_of(job: Mapping[str, Any]) -> str:
    """How the job ended, "Complete" or "Failed"; "" while it has not."""
    end = end_of(job)
    return end["type"] if end is not None else ""


def too_old(spec: Mapping[str, Any], jobs: Iterable[Object]) -> list[Object]:
    """The jobs to delete: those begun first of what is more than the limits."""
    jobs, found = list(jobs), list[Object]()
    for ending, limit in _LIMITS:
        most = spec.get(limit)
        if most is None:
            continue
        ended = sorted((job for job in jobs if ending_of(job) == ending), key=_begun)
        found += ended[: max(0, len(ended) - most)]
    return found


def _begun(job: Object) -> tuple[bool, str, str]:
    started = (job.get("status") or {}).get("startTime") or ""
    return not started, started, name_of(job)
