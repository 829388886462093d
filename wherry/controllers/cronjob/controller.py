"""CronJobs: starting a job at each time, following those that run, deleting the oldest that ended.

Nothing is looked at by the clock: each CronJob has one timer, for its next start.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.job_status import COMPLETE
from wherry.api.batch.jobs import JOBS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.base import Controller, is_namespace_terminating
from wherry.controllers.cronjob.active import Active
from wherry.controllers.cronjob.history import ending_of, too_old
from wherry.controllers.cronjob.jobs import make_job
from wherry.controllers.cronjob.plan import next_wait_s, plan_start, schedule_of
from wherry.controllers.ownership import owner_key
from wherry.kit.portions import Portions, Work
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    format_time,
    is_controlled_by,
    is_deleting,
    key_of,
    name_of,
    namespace_of,
    object_reference,
    parse_time,
    uid_of,
)


def _owner(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The CronJob a job belongs to, or did. Jobs are not adopted."""
    return {key for obj in (old, new) if obj is not None for key in _OWNED(cache, obj, None)}


_OWNED = owner_key(CRON_JOBS)


class CronJobs(Controller):
    """The controller of CronJobs."""

    name = "cronjob"
    account = "cronjob-controller"
    primary = CRON_JOBS
    watches: ClassVar = {JOBS: _owner}

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Its own key; after a change of the schedule only when it is due by the new one."""
        if old is None or new is None or _timing(old) == _timing(new):
            return (key_of(new or old or {}),)
        try:
            wait_s = next_wait_s(new, schedule_of(new), self.clock.now())
        except ValueError:
            message = f"unparseable schedule for cronjob: {new['spec'].get('schedule')}"
            self.events.event(new, WARNING, "UnParseableCronJobSchedule", message)
            return ()
        if wait_s is not None:
            self.queue.add_after(key_of(new), wait_s)
        return ()

    async def sync(self, key: str) -> float | None:
        """Follow its jobs, and start one if it is time; after how long the next is due."""
        stored = self.cache.get(CRON_JOBS, key)
        if stored is None:
            return None
        cron_job = {**stored, "status": dict(stored.get("status") or {})}
        active = Active(cron_job["status"])
        jobs = list(self.cache.owned(JOBS, uid_of(stored), namespace_of(stored)))
        failure: ApiError | None = None
        wait_s: float | None = None
        try:
            for job in too_old(cron_job["spec"], jobs):
                await self._delete(cron_job, active, job)
            await self._follow(cron_job, active, jobs)
            await self._miss(cron_job, active, {uid_of(job) for job in jobs})
            if not is_deleting(cron_job):
                active.write(cron_job["status"])
                wait_s = await self._start(cron_job, active)
        except ApiError as error:
            failure = error
        # What was found out is written even if something failed after it.
        active.write(cron_job["status"])
        await self.write_status(stored, cron_job["status"])
        if failure is not None:
            raise failure
        return wait_s

    async def _follow(self, cron_job: Object, active: Active, jobs: list[Object]) -> None:
        """Bring the active jobs and the latest success in the status up to date. Raises ApiError."""
        portions = Portions(Work.CONTROLLING)
        unknown = []
        for job in jobs:
            await portions.next()
            is_known, ending = uid_of(job) in active, ending_of(job)
            if not ending and not is_known:
                unknown.append(job)
            elif ending and is_known:
                active.forget(uid_of(job))
                message = f"Saw completed job: {name_of(job)}, condition: {ending}"
                self.events.event(cron_job, NORMAL, "SawCompletedJob", message)
            if ending == COMPLETE:
                _note_success(cron_job["status"], (job.get("status") or {}).get("completionTime"))
        if unknown:
            await self._meet(cron_job, unknown)

    async def _meet(self, cron_job: Object, jobs: list[Object]) -> None:
        """Jobs of ours that run and are not among the active ones: the cache may only be behind."""
        fresh = await self.client.get(CRON_JOBS, name_of(cron_job), namespace_of(cron_job))
        active = Active(fresh.get("status") or {})
        for job in jobs:
            if uid_of(job) not in active:
                message = f"Saw a job that the controller did not create or forgot: {name_of(job)}"
                self.events.event(cron_job, WARNING, "UnexpectedJob", message)

    async def _miss(self, cron_job: Object, active: Active, present: set[str]) -> None:
        """Forget those active jobs that are not there. Raises ApiError."""
        portions = Portions(Work.CONTROLLING)
        for reference in active.listed():
            await portions.next()
            uid = reference.get("uid") or ""
            is_own = reference.get("namespace") == namespace_of(cron_job)
            if uid not in present and not (is_own and await self._is_there(reference)):
                message = f"Active job went missing: {reference.get('name')}"
                self.events.event(cron_job, NORMAL, "MissingJob", message)
                active.forget(uid)

    async def _is_there(self, reference: dict[str, Any]) -> bool:
        name, namespace = reference.get("name"), reference.get("namespace")
        if not name or not namespace:
            return False  # anybody may have written the status, and names that are none
        try:
            found = await self.client.get(JOBS, name, namespace)
        except ApiError as error:
            if error.code in (400, 404):
                return False
            raise
        return uid_of(found) == reference.get("uid")

    async def _start(self, cron_job: Object, active: Active) -> float | None:
        """Start the job that is due, if one is; after how long the next will be. Raises ApiError."""
        plan = plan_start(cron_job, self.clock.now())
        for note in plan.notes:
            self.events.event(cron_job, *note)
        if plan.start is None:
            return plan.wait_s
        if cron_job["spec"].get("concurrencyPolicy") == "Replace":
            await self._replace(cron_job, active)
        job = await self._create(cron_job, active, plan.start)
        if job is not None:
            active.add(object_reference({**_KIND, **job}))
            cron_job["status"]["lastScheduleTime"] = format_time(plan.start)
        return next_wait_s(cron_job, schedule_of(cron_job), self.clock.now())

    async def _replace(self, cron_job: Object, active: Active) -> None:
        """Delete the jobs that still run. Raises ApiError."""
        for reference in active.listed():
            name = reference.get("name")
            if not name:  # anybody may have written the status
                active.forget(reference.get("uid") or "")
                continue
            try:
                job = await self.client.get(JOBS, name, namespace_of(cron_job))
            except ApiError as error:
                self.events.event(cron_job, WARNING, "FailedGet", f"Get job: {error.message}")
                raise
            if is_controlled_by(job, cron_job):
                await self._delete(cron_job, active, job)
            else:
                active.forget(reference.get("uid") or "")

    async def _create(self, cron_job: Object, active: Active, at: datetime) -> Object | None:
        """The job of that time, made now or before; None if it is somebody else's. Raises ApiError."""
        wanted = make_job(cron_job, at)
        try:
            job = await self.create(key_of(cron_job), JOBS, wanted)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                # Made by us, it may be, before a crash: then only the status is missing.
                job = await self.client.get(JOBS, name_of(wanted), namespace_of(wanted))
                is_new = is_controlled_by(job, cron_job) and uid_of(job) not in active
                return job if is_new else None
            if not is_namespace_terminating(error):
                message = f"Error creating job: {error.message}"
                self.events.event(cron_job, WARNING, "FailedCreate", message)
            raise
        self.events.event(cron_job, NORMAL, "SuccessfulCreate", f"Created job {name_of(job)}")
        return job

    async def _delete(self, cron_job: Object, active: Active, job: Object) -> None:
        """Delete a job with its pods. Raises ApiError."""
        try:
            await self.delete(key_of(cron_job), JOBS, job, propagation="Background")
        except ApiError as error:
            self.events.event(cron_job, WARNING, "FailedDelete", f"Deleted job: {error.message}")
            raise
        active.forget(uid_of(job))
        self.events.event(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {name_of(job)}")


_KIND = {"apiVersion": JOBS.api_version, "kind": JOBS.kind}


def _timing(cron_job: Object) -> tuple[Any, Any]:
    spec = cron_job.get("spec") or {}
    return spec.get("schedule"), spec.get("timeZone")


def _note_success(status: dict[str, Any], completed: str | None) -> None:
    known = status.get("lastSuccessfulTime")
    if completed and (not known or parse_time(completed) > parse_time(known)):
        status["lastSuccessfulTime"] = completed
