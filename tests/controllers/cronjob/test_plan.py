"""When a CronJob starts a job, and when it is looked at again: tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.controllers.cronjob.history import too_old
from wherry.controllers.cronjob.jobs import job_name, make_job
from wherry.controllers.cronjob.plan import Plan, plan_start
from wherry.objects.meta import Object, name_of

HOURLY = "0 * * * *"
MANY = (
    "TooManyMissedTimes",
    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
)
MISSED = ("MissSchedule", "Missed scheduled time to start a job: Thu, 01 Jan 2026 10:00:00 +0000")
BUSY = (
    "JobAlreadyActive",
    "Not starting job because prior execution is running and concurrency policy is Forbid",
)


def cron_job(schedule: str = HOURLY, status: dict[str, Any] | None = None, **spec: Any) -> Object:
    meta = {"name": "c", "namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T08:30:00Z"}
    return {"metadata": meta, "spec": {"schedule": schedule, **spec}, "status": status or {}}


def last(text: str, *active: str) -> dict[str, Any]:
    return {"lastScheduleTime": text, "active": [{"name": name, "uid": name} for name in active]}


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-{text}+00:00")


@pytest.mark.parametrize(
    ("a_cron_job", "now", "start", "wait_s", "says"),
    [
        (cron_job(), "01T08:40:00", None, 1200, []),
        (cron_job(), "01T09:00:00", "01T09:00:00", None, []),
        (cron_job(), "01T09:00:30", "01T09:00:00", None, []),
        (cron_job(), "01T10:00:30", "01T10:00:00", None, []),
        (cron_job(), "01T13:59:59", "01T13:00:00", None, []),
        (cron_job(status=last("2026-01-01T10:00:00Z")), "01T10:20:00", None, 2400, []),
        (cron_job(status=last("2026-01-01T10:00:00Z")), "01T11:00:00", "01T11:00:00", None, []),
        (cron_job(suspend=True), "01T10:00:30", None, None, []),
        (cron_job(), "06T10:00:30", "06T10:00:00", None, [MANY]),
        (cron_job(startingDeadlineSeconds=300), "06T10:00:30", "06T10:00:00", None, []),
        (cron_job(startingDeadlineSeconds=300), "01T10:06:00", None, 3240, [MISSED]),
        (
            cron_job(startingDeadlineSeconds=300, status=last("2026-01-01T10:00:00Z")),
            "01T10:06:00",
            None,
            3240,
            [],
        ),
        (cron_job("*/30 * * * *", startingDeadlineSeconds=10**18), "01T09:00:10", "01T09:00:00", None, []),
        (cron_job(startingDeadlineSeconds=0), "01T10:00:00", None, 3600, [MISSED]),
        (cron_job("0 0 31 2 *"), "01T10:00:00", None, None, [("InvalidSchedule", None)]),
        (cron_job("0 0 * * 7"), "01T10:00:00", None, None, [("UnparseableSchedule", None)]),
        (cron_job(timeZone="No/Where"), "01T10:00:00", None, None, [("UnknownTimeZone", None)]),
        (
            cron_job("TZ=Europe/Berlin 0 10 * * *"),
            "01T09:00:00",
            "01T09:00:00",
            None,
            [("UnsupportedSchedule", None)],
        ),
        (cron_job("0 10 * * *", timeZone="Europe/Berlin"), "01T08:59:00", None, 60, []),
        (cron_job("0 10 * * *", timeZone="Europe/Berlin"), "01T09:00:00", "01T09:00:00", None, []),
        (cron_job("@every 50m"), "01T09:20:00", "01T09:20:00", None, []),
        (cron_job("@every 50m"), "01T12:00:00", "01T11:50:00", None, []),
        (
            cron_job(concurrencyPolicy="Forbid", status=last("2026-01-01T09:00:00Z", "c-1")),
            "01T10:00:00",
            None,
            3600,
            [BUSY],
        ),
        (
            cron_job(concurrencyPolicy="Allow", status=last("2026-01-01T09:00:00Z", "c-1")),
            "01T10:00:00",
            "01T10:00:00",
            None,
            [],
        ),
        # The start is known by the name of an active job, though the time was not written.
        (
            cron_job(status={"active": [{"name": job_name(cron_job(), at("01T10:00:00")), "uid": "x"}]}),
            "01T10:00:10",
            None,
            3590,
            [],
        ),
        # The clock was set back: nothing is started twice.
        (cron_job(status=last("2026-01-01T12:00:00Z")), "01T10:00:30", None, 10770, []),
    ],
)
def test_the_plan(
    a_cron_job: Object, now: str, start: str | None, wait_s: float | None, says: list[tuple[str, str | None]]
) -> None:
    plan = plan_start(a_cron_job, at(now))
    assert plan.start == (at(start) if start else None)
    assert plan.wait_s == wait_s
    assert [note.reason for note in plan.notes] == [reason for reason, _ in says]
    assert all(text in (None, note.message) for note, (_, text) in zip(plan.notes, says, strict=True))


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (
            "0 0 31 2 *",
            "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1 second",
        ),
        ("0 0 * * 7", 'unparseable schedule: "0 0 * * 7" : end of range (7) above maximum (6): 7'),
    ],
)
def test_words_for_absurd_schedules(schedule: str, says: str) -> None:
    plan = plan_start(cron_job(schedule), at("01T10:00:00"))
    assert plan == Plan(notes=plan.notes)
    assert [note.message for note in plan.notes] == [says]


def test_the_job_of_a_time() -> None:
    template = {
        "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never"}}},
    }
    made = make_job(cron_job(jobTemplate=template, timeZone="Europe/Berlin"), at("01T10:00:00"))
    assert made == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "c-29454360",
            "namespace": "default",
            "labels": {"a": "b"},
            "annotations": {
                "c": "d",
                "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T11:00:00+01:00",
            },
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": "c",
                    "uid": "u",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": template["spec"],
    }
    utc = make_job(cron_job(jobTemplate=template), at("01T10:00:00"))["metadata"]["annotations"]
    assert utc["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T10:00:00Z"


def ended(name: str, ending: str, minute: int | None) -> Object:
    status: dict[str, Any] = {"conditions": [{"type": ending, "status": "True"}]} if ending else {}
    if minute is not None:
        status["startTime"] = datetime(2026, 1, 1, 0, minute, tzinfo=UTC).isoformat()
    return {"metadata": {"name": name}, "status": status}


def test_the_oldest_go_first_each_kind_by_its_limit() -> None:
    jobs = [
        ended("new", "Complete", 3),
        ended("old", "Complete", 1),
        ended("same-b", "Complete", 2),
        ended("same-a", "Complete", 2),
        ended("runs", "", 0),
        ended("never-begun", "Complete", None),
        ended("bad", "Failed", 1),
        ended("worse", "Failed", 2),
    ]
    gone = too_old({"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 0}, jobs)
    assert [name_of(job) for job in gone] == ["old", "same-a", "bad", "worse"]
    assert too_old({}, jobs) == []
