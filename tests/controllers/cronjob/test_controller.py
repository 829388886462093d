"""CronJobs beside an API server: jobs by the clock, those that run, those that ended, and crashes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.jobs import JOBS
from wherry.controllers.cronjob.controller import CronJobs
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, name_of
from wherry.testing.faults.fault import WRITES, Fault, What

BUSY = "Not starting job because prior execution is running and concurrency policy is Forbid"
FIRST = 29453760
"""Minutes from 1970 to the bench's beginning, 2026-01-01T00:00:00Z."""


def cron_job(schedule: str = "*/10 * * * *", **spec: Any) -> Object:
    return {
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {
            "schedule": schedule,
            "concurrencyPolicy": "Allow",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": samples.job()["spec"]},
            **spec,
        },
    }


async def end(bench: Bench, job: Object, ending: str = "Complete") -> None:
    now = format_time(bench.clock.now())
    begun = "SuccessCriteriaMet" if ending == "Complete" else "FailureTarget"
    told = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in (begun, ending)]
    more = {"completionTime": now} if ending == "Complete" else {}
    await bench.set_status(JOBS, job, conditions=told, startTime=now, **more)
    await bench.settle()


async def jobs(bench: Bench) -> list[str]:
    return sorted(name_of(job) for job in await bench.all(JOBS))


async def status_of(bench: Bench) -> Object:
    found: Object = (await bench.get(CRON_JOBS, "c")).get("status") or {}
    return found


def said(bench: Bench) -> list[str]:
    return [event for event in bench.events() if not event.startswith("SuccessfulCreate")]


async def test_a_job_at_each_time() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job())
        assert await jobs(bench) == []
        await bench.clock.advance(600)
        await bench.settle()
        (job,) = await bench.all(JOBS)
        assert name_of(job) == f"c-{FIRST + 10}"
        status = await status_of(bench)
        assert status["lastScheduleTime"] == "2026-01-01T00:10:00Z"
        assert [(ref["kind"], ref["name"], ref["uid"]) for ref in status["active"]] == [
            ("Job", name_of(job), job["metadata"]["uid"])
        ]
        await end(bench, job)
        status = await status_of(bench)
        assert not status.get("active")
        assert status["lastSuccessfulTime"] == "2026-01-01T00:10:00Z"
        await bench.clock.advance(1800)
        await bench.settle()
        assert await jobs(bench) == [f"c-{FIRST + minutes}" for minutes in (10, 20, 30, 40)]
        assert bench.events()[:2] == [
            f"SuccessfulCreate: Created job c-{FIRST + 10}",
            f"SawCompletedJob: Saw completed job: c-{FIRST + 10}, condition: Complete",
        ]


async def test_a_job_has_one_timer_and_no_look_in_between() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job("0 0 * * *"))
        bench.requests.calls.clear()
        await bench.clock.advance(86000)
        assert bench.requests.calls == []


async def test_the_oldest_that_ended_go() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job(successfulJobsHistoryLimit=1))
        for _ in range(3):
            await bench.clock.advance(600)
            await bench.settle()
            (active,) = (await status_of(bench))["active"]
            await end(bench, await bench.get(JOBS, active["name"]))
        assert await jobs(bench) == [f"c-{FIRST + 30}"]
        assert f"SuccessfulDelete: Deleted job c-{FIRST + 10}" in bench.events()
        deletion = bench.requests.writes("DELETE")[0].body
        assert isinstance(deletion, dict)
        assert deletion["propagationPolicy"] == "Background"


@pytest.mark.parametrize(
    ("policy", "left", "says"),
    [
        ("Allow", [10, 20], []),
        (
            "Forbid",
            [10],
            [f"JobAlreadyActive: {BUSY}"],
        ),
        ("Replace", [20], [f"SuccessfulDelete: Deleted job c-{FIRST + 10}"]),
    ],
)
async def test_when_the_job_before_still_runs(policy: str, left: list[int], says: list[str]) -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job(concurrencyPolicy=policy))
        await bench.clock.advance(1200)
        await bench.settle()
        assert await jobs(bench) == [f"c-{FIRST + minutes}" for minutes in left]
        assert [ref["name"] for ref in (await status_of(bench))["active"]] == await jobs(bench)
        assert said(bench) == says


async def test_a_forbidden_start_is_made_up_for_when_the_job_before_ends() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job(concurrencyPolicy="Forbid"))
        await bench.clock.advance(1260)
        await bench.settle()
        (job,) = await bench.all(JOBS)
        await end(bench, job, "Failed")
        assert await jobs(bench) == [f"c-{FIRST + 10}", f"c-{FIRST + 20}"]


async def test_a_suspended_one_starts_nothing_and_makes_up_for_the_latest_alone() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job(suspend=True))
        await bench.clock.advance(7000)
        await bench.settle()
        assert await jobs(bench) == []
        await bench.client.patch(CRON_JOBS, "c", "default", {"spec": {"suspend": False}})
        await bench.settle()
        assert await jobs(bench) == [f"c-{FIRST + 110}"]


async def test_a_new_schedule_holds_from_its_next_time_on() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job("0 0 * * *"))
        await bench.clock.advance(630)
        await bench.client.patch(CRON_JOBS, "c", "default", {"spec": {"schedule": "*/10 * * * *"}})
        await bench.settle()
        assert await jobs(bench) == []
        await bench.clock.advance(570)
        await bench.settle()
        assert await jobs(bench) == [f"c-{FIRST + 20}"]


async def test_a_job_that_went_is_no_longer_active() -> None:
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job())
        await bench.clock.advance(600)
        await bench.client.delete(JOBS, f"c-{FIRST + 10}", "default", propagation="Background")
        await bench.settle()
        assert not (await status_of(bench)).get("active")
        assert said(bench) == [f"MissingJob: Active job went missing: c-{FIRST + 10}"]
        assert await jobs(bench) == []  # its time is known to have had its job


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("resource", ["jobs", "cronjobs/status"])
async def test_killed_after_any_write_it_starts_each_job_once(resource: str, nth: int) -> None:
    """The write is done, its answer lost, and the controller begins anew."""
    async with running(CronJobs) as bench:
        await bench.create(CRON_JOBS, cron_job())
        bench.requests.faults.arm(Fault(what=What.UNANSWERED, verbs=WRITES, resource=resource, nth=nth))
        for minute in (10, 20):
            await bench.clock.advance(600)
            await bench.settle()
            assert f"c-{FIRST + minute}" in await jobs(bench)
        status = await status_of(bench)
        assert [ref["name"] for ref in status["active"]] == [f"c-{FIRST + 10}", f"c-{FIRST + 20}"]
        assert status["lastScheduleTime"] == "2026-01-01T00:20:00Z"
        assert [met for _, met in bench.requests.faults.met] == [1]


async def test_somebody_elses_job_of_that_name_is_left_alone() -> None:
    async with running(CronJobs, before=[(JOBS, samples.job(f"c-{FIRST + 10}"))]) as bench:
        await bench.create(CRON_JOBS, cron_job())
        await bench.clock.advance(1200)
        await bench.settle()
        assert [ref["name"] for ref in (await status_of(bench))["active"]] == [f"c-{FIRST + 20}"]


async def test_a_job_by_hand_is_told_of_and_counts_for_the_history() -> None:
    async with running(CronJobs) as bench:
        made = await bench.create(CRON_JOBS, cron_job())
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": made["metadata"]["uid"]}
        by_hand = samples.job("by-hand")
        by_hand["metadata"]["ownerReferences"] = [{**owner, "controller": True}]
        job = await bench.create(JOBS, by_hand)
        assert said(bench) == [
            "UnexpectedJob: Saw a job that the controller did not create or forgot: by-hand"
        ]
        await end(bench, job)
        assert (await status_of(bench))["lastSuccessfulTime"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "0 0 * * 7"])
async def test_an_absurd_schedule_is_told_once_and_costs_nothing(schedule: str) -> None:
    async with running(CronJobs) as bench:
        await bench.store(CRON_JOBS, cron_job(schedule))  # one of them only an older server let in
        assert len(said(bench)) == 1
        bench.requests.calls.clear()
        await bench.clock.advance(10**5)
        assert bench.requests.calls == []


async def test_a_refused_job_is_told_of_and_tried_again() -> None:
    async with running(CronJobs) as bench:
        quota = ApiError(403, "Forbidden", "exceeded quota: jobs")
        bench.requests.refuse = lambda call: quota if call.method == "POST" and "/jobs" in call.path else None
        await bench.create(CRON_JOBS, cron_job())
        await bench.clock.advance(600)
        await bench.settle()
        assert "FailedCreate: Error creating job: exceeded quota: jobs" in bench.events()
        bench.requests.refuse = lambda call: None
        await bench.clock.advance(60)
        await bench.settle()
        assert await jobs(bench) == [f"c-{FIRST + 10}"]
