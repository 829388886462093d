"""Jobs that ended are deleted `ttlSecondsAfterFinished` later. Rules: pkg/controller/ttlafterfinished."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from wherry.api.batch.job_status import end_of
from wherry.api.batch.jobs import JOBS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, key_of, later, name_of, namespace_of, parse_time, uid_of


def left_s(job: Object, now: datetime) -> float | None:
    """How many seconds the job still has, None when it is not to be deleted (yet)."""
    ttl_s, end = (job.get("spec") or {}).get("ttlSecondsAfterFinished"), end_of(job)
    if ttl_s is None or end is None or is_deleting(job):
        return None
    ended = end.get("lastTransitionTime")
    # One that says nowhere when it ended has none to count from; its end stays, as upstream has it.
    return (later(parse_time(ended), ttl_s) - now).total_seconds() if ended else None


class TtlAfterFinished(Controller):
    """Deletes jobs whose time after their end is over."""

    name = "ttl-after-finished"
    account = "ttl-after-finished-controller"
    primary = JOBS

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Its own key, when it is to be deleted some time."""
        if new is not None and left_s(new, self.clock.now()) is not None:
            yield key_of(new)

    async def sync(self, key: str) -> float | None:
        """Delete the job if its time is over; else after how long it is."""
        job = self.cache.get(JOBS, key)
        wait_s = left_s(job, self.clock.now()) if job is not None else None
        if job is None or wait_s is None or wait_s > 0:
            return wait_s
        # The time may have been made longer a moment ago: the server knows.
        try:
            fresh = await self.client.get(JOBS, name_of(job), namespace_of(job))
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        wait_s = left_s(fresh, self.clock.now())
        if uid_of(fresh) == uid_of(job) and wait_s is not None and wait_s <= 0:
            await self.delete(key, JOBS, fresh, propagation="Foreground")
            return None
        return wait_s
