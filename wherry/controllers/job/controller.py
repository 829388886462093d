"""Jobs: making and removing pods, counting those that ended, and saying how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

from wherry.api.batch.job_status import COMPLETE, end_of
from wherry.api.batch.jobs import JOBS
from wherry.api.core.pod_conditions import is_ready
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.client.transport import STRATEGIC_PATCH
from wherry.controllers.base import Controller, Environment
from wherry.controllers.job.backoff import Backoff
from wherry.controllers.job.conditions import SUSPENDED, new_condition, with_condition
from wherry.controllers.job.facts import FINALIZER, Facts, PodFacts, is_ours, is_tracked, look
from wherry.controllers.job.plan import PodPlan, plan_pods, to_replace
from wherry.controllers.job.pods import make_pod
from wherry.controllers.job.tally import Tally, count, plan_tally
from wherry.controllers.job.verdict import REACHED, Progress, Verdict, deadline_s, judge, progress_of
from wherry.controllers.job.watching import (
    MARKED_ORPHANS,
    ORPHAN,
    is_abandoned,
    left_behind,
    orphan_marks,
    orphans_for,
    pod_keys,
)
from wherry.controllers.ownership import claim, index_claims, selector_of
from wherry.controllers.pod_control import Done, delete_pod, try_to_create
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, is_deleting, key_of, namespace_of, uid_of


@dataclass(slots=True)
class _Memory:
    """What is known of a job beyond its status: lost with the process, and only time is lost with it."""

    uid: str
    backoff: Backoff = field(default_factory=Backoff)
    released: set[str] = field(default_factory=set)
    """Pods whose finalizer was taken away while the cache still shows it."""


@dataclass(frozen=True, slots=True)
class _Managed:
    """Pods as they are after a sync's writes."""

    active: int
    ready: int
    terminating: int
    failure: BaseException | None = None
    wait_s: float | None = None


class Jobs(Controller):
    """The controller of Jobs, and of pods that a Job left with its finalizer."""

    name = "job"
    account = "job-controller"
    primary = JOBS
    watches: ClassVar = {PODS: pod_keys}
    first_retry_s = 1.0
    longest_retry_s = 60.0

    def __init__(self, environment: Environment) -> None:
        self._memories: dict[str, _Memory] = {}
        super().__init__(environment)
        self.cache.add_index(PODS, MARKED_ORPHANS, orphan_marks)
        index_claims(self, PODS)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Its own key, and those of the pods it leaves behind."""
        return (key_of(new or old or {}), *left_behind(cache, old, new))

    async def sync(self, key: str) -> float | None:
        """Bring a job nearer to its end, or free a pod that no job counts any more."""
        if key.startswith(ORPHAN):
            await self._free(key)
            return None
        job = self.cache.get(JOBS, key)
        if job is None or end_of(job) is not None:
            self._memories.pop(key, None)
            self.rests.note(key, 0)
            return None
        if not is_ours(job):
            return None
        return await self._sync_job(key, job)

    async def _sync_job(self, key: str, stored: Object) -> float | None:
        job = _started(stored, format_time(self.clock.now()))
        pods = await self._pods_of(job)
        memory = self._memory_of(key, job, pods)
        facts = look(job, pods, self.clock.now(), memory.released)
        progress = progress_of(facts)
        replaced = to_replace(facts, progress)
        verdict = judge(facts, progress)
        status: dict[str, Any] = dict(facts.status)
        if verdict is not None:
            managed = await self._end_pods(facts)
            if managed.active:
                verdict = None  # not all are on their way out: the next sync says it
        else:
            plan = PodPlan()
            if not is_deleting(job):
                backoff = memory.backoff.after(_pods(facts.succeeded), _pods(facts.failed))
                plan = plan_pods(facts, progress, backoff, replaced)
            managed = await self._carry_out(facts, plan, replaced)
            if _is_complete(facts, progress, managed):
                verdict = REACHED
            elif not is_deleting(job):
                self._say_suspended(facts, status)
        status |= {"active": managed.active, "ready": managed.ready, "terminating": managed.terminating}
        kept = {pod.uid for pod in replaced.values()}
        tally = plan_tally(facts, status, progress, verdict, kept)
        await self._record(stored, facts, tally, verdict, managed.terminating, memory)
        if managed.failure is not None:
            raise managed.failure
        waits = (managed.wait_s, deadline_s(facts) if verdict is None else None)
        return min((wait for wait in waits if wait is not None), default=None)

    async def _pods_of(self, job: Object) -> list[Object]:
        candidates = [*self.cache.owned(PODS, uid_of(job), namespace_of(job)), *orphans_for(self.cache, job)]
        return await claim(self, job, PODS, selector_of(job), candidates, finalizer=FINALIZER)

    def _memory_of(self, key: str, job: Object, pods: Sequence[Object]) -> _Memory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != uid_of(job):
            memory = self._memories[key] = _Memory(uid_of(job))
        if memory.released:
            memory.released &= {uid_of(pod) for pod in pods if is_tracked(pod)}
        return memory

    async def _end_pods(self, facts: Facts) -> _Managed:
        """Delete what still runs of a job that comes to its end; finalizers stay until that is counted."""
        deletions = [delete_pod(self, facts.job, pod.pod) for pod in facts.active]
        return await self._removed(facts, facts.active, deletions)

    async def _carry_out(self, facts: Facts, plan: PodPlan, replaced: dict[int, PodFacts]) -> _Managed:
        if plan.remove:
            deletions = [self._remove_uncounted(facts.job, pod) for pod in plan.remove]
            return await self._removed(facts, plan.remove, deletions)
        done = Done(0)
        if plan.create:
            pods = [
                partial(make_pod, facts.job, index, replaced.get(index) if index is not None else None)
                for index in plan.create
            ]
            done = await try_to_create(self, facts.job, pods)
        return _Managed(
            len(facts.active) + done.count, facts.ready, len(facts.terminating), done.failure, plan.wait_s
        )

    async def _remove_uncounted(self, job: Object, pod: PodFacts) -> None:
        """Delete a pod that is one too many: it is no failure, so it is not counted."""
        if is_tracked(pod.pod):
            await self._take_finalizer(key_of(job), pod.pod)
        await delete_pod(self, job, pod.pod)

    async def _removed(
        self, facts: Facts, pods: Sequence[PodFacts], deletions: Sequence[Awaitable[None]]
    ) -> _Managed:
        results = await asyncio.gather(*deletions, return_exceptions=True)
        gone = [pod for pod, result in zip(pods, results, strict=True) if result is None]
        failure = next((result for result in results if result is not None), None)
        return _Managed(
            len(facts.active) - len(gone),
            facts.ready - sum(is_ready(pod.pod) for pod in gone),
            len(facts.terminating) + len(gone),
            failure,
        )

    def _say_suspended(self, facts: Facts, status: dict[str, Any]) -> None:
        """Set the condition Suspended, and what follows from it for the time the job began."""
        if facts.is_suspended:
            new = new_condition(SUSPENDED, "True", "JobSuspended", "Job suspended", facts.now)
        else:
            new = new_condition(SUSPENDED, "False", "JobResumed", "Job resumed", facts.now)
        conditions = status.get("conditions") or []
        changed = with_condition(conditions, new)
        if changed == conditions:
            return
        status["conditions"] = changed
        if facts.is_suspended:
            status.pop("startTime", None)
            self.events.event(facts.job, NORMAL, "Suspended", "Job suspended")
        else:
            # The deadline is for the time the job is active, which begins anew (`_started`).
            self.events.event(facts.job, NORMAL, "Resumed", "Job resumed")

    async def _record(
        self,
        stored: Object,
        facts: Facts,
        tally: Tally,
        verdict: Verdict | None,
        terminating: int,
        memory: _Memory,
    ) -> None:
        """Write the status, take the finalizers of what it counts, write what follows. Raises ApiError."""
        if verdict is not None and not tally.status.get("startTime") and facts.spec.get("completions") != 0:
            tally.status["startTime"] = format_time(facts.now)  # suspended meanwhile; what ended has begun
        key, job = key_of(stored), await self.write_status(stored, tally.status)
        gone = {pod.uid for pod in tally.release}
        memory.backoff = memory.backoff.after(
            _pods(pod for pod in facts.succeeded if pod.uid in gone),
            _pods(pod for pod in facts.failed if pod.uid in gone),
        )
        results = await asyncio.gather(
            *(self._take_finalizer(key, pod.pod) for pod in tally.release), return_exceptions=True
        )
        failures = [result for result in results if result is not None]
        freed = {pod.uid for pod, result in zip(tally.release, results, strict=True) if result is None}
        memory.released |= freed
        status = dict(tally.status)
        count(status, {pod.uid for pod in facts.pods if pod.is_tracked} - freed)
        is_over = verdict is not None and not (
            failures or tally.is_partial or status["uncountedTerminatedPods"] or terminating
        )
        if verdict is not None and is_over:
            _finish(status, verdict, facts)
        job = await self.write_status(job, status)
        if verdict is not None and is_over:
            self._say_finished(job, verdict)
        if failures:
            raise failures[0]

    async def _take_finalizer(self, key: str, pod: Object) -> None:
        """Take our finalizer from the pod; that it is gone is as well. Raises ApiError."""
        patch: Object = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        try:
            await self.patch(key, PODS, pod, patch, content_type=STRATEGIC_PATCH)
        except ApiError as error:
            if error.code != 404:
                raise

    def _say_finished(self, job: Object, verdict: Verdict) -> None:
        completions = job["spec"].get("completions")
        if not verdict.is_success:
            self.events.event(job, WARNING, verdict.reason, verdict.message)
            return
        if completions is not None and (job["status"].get("succeeded") or 0) > completions:
            message = "Too many succeeded pods running after completion count reached"
            self.events.event(job, WARNING, "TooManySucceededPods", message)
        self.events.event(job, NORMAL, "Completed", "Job completed")

    async def _free(self, key: str) -> None:
        """Take our finalizer from a pod that no job counts any more. Raises ApiError."""
        pod = self.cache.get(PODS, key.removeprefix(ORPHAN))
        if pod is not None and is_abandoned(self.cache, pod):
            await self._take_finalizer(key, pod)


def _started(job: Object, now: str) -> Object:
    """The job with the time it began at, which is now unless it has begun or is suspended."""
    status = job.get("status") or {}
    if status.get("startTime") or job["spec"].get("suspend"):
        return job
    return {**job, "status": {**status, "startTime": now}}


def _is_complete(facts: Facts, progress: Progress | None, managed: _Managed) -> bool:
    """Whether as many pods as wanted have succeeded, and none is active any more."""
    succeeded = len(progress.succeeded) if progress is not None else facts.successes()
    completions = facts.spec.get("completions")
    return managed.active == 0 and (succeeded > 0 if completions is None else succeeded >= completions)


def _finish(status: dict[str, Any], verdict: Verdict, facts: Facts) -> None:
    final = new_condition(verdict.final, "True", verdict.reason, verdict.message, facts.now)
    status["conditions"] = with_condition(status.get("conditions") or [], final)
    if verdict.final == COMPLETE:
        status["completionTime"] = final["lastTransitionTime"]


def _pods(pods: Iterable[PodFacts]) -> list[Object]:
    return [pod.pod for pod in pods]
