"""Whether a CronJob is to start a job now, and when to look again. Pure: nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from enum import Enum
from typing import NamedTuple

from wherry.client.events import NORMAL, WARNING
from wherry.controllers.cronjob.jobs import job_name
from wherry.objects.cron import is_zone, parse_schedule
from wherry.objects.meta import Object, later, metadata, parse_time
from wherry.objects.schedules import Schedule

MANY = 100
"""More missed starts than this are worth a warning: a clock may be wrong."""


class Note(NamedTuple):
    """An event to be said about the CronJob."""

    kind: str
    reason: str
    message: str


class Missed(Enum):
    """How many starts lie behind that were not made."""

    NONE = "none"
    FEW = "few"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Plan:
    """Start the job of the time `start`, if there is one; look again in `wait_s`, if given."""

    start: datetime | None = None
    wait_s: float | None = None
    notes: list[Note] = field(default_factory=list)


def plan_start(cron_job: Object, now: datetime) -> Plan:
    """What to do now. The status of `cron_job` is to be up to date: its active jobs, the last time."""
    spec, notes = cron_job.get("spec") or {}, list[Note]()
    zone = spec.get("timeZone")
    if zone is not None and not is_zone(zone):
        return _only(
            Note(WARNING, "UnknownTimeZone", f'invalid timeZone: "{zone}": unknown time zone {zone}')
        )
    if spec.get("suspend"):
        return Plan()
    text = spec.get("schedule") or ""
    if "TZ" in text:
        notes.append(Note(WARNING, "UnsupportedSchedule", _unsupported(text)))
    try:
        schedule = schedule_of(cron_job)
    except ValueError as error:
        notes.append(Note(WARNING, "UnparseableSchedule", f'unparseable schedule: "{text}" : {error}'))
        return Plan(notes=notes)
    try:
        _, due, missed = most_recent(cron_job, schedule, now, within_deadline=True)
        _, late, _ = most_recent(cron_job, schedule, now)
    except ValueError as error:
        notes.append(Note(WARNING, "InvalidSchedule", f"invalid schedule: {text} : {error}"))
        return Plan(notes=notes)
    wait_s = next_wait_s(cron_job, schedule, now)
    if due is None:
        return Plan(None, wait_s, [*notes, *([_missed(late)] if late is not None else [])])
    if missed is Missed.MANY:
        message = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        notes.append(Note(WARNING, "TooManyMissedTimes", message))
    refusal = _refusal(cron_job, due)
    if refusal is not None:
        return Plan(None, wait_s, [*notes, *refusal])
    return Plan(due, None, notes)


def schedule_of(cron_job: Object) -> Schedule:
    """The schedule, in the CronJob's time zone. Raises ValueError."""
    spec = cron_job["spec"]
    text, zone = spec.get("schedule") or "", spec.get("timeZone")
    return parse_schedule(f"TZ={zone} {text}" if zone and "TZ" not in text and is_zone(zone) else text)


def next_wait_s(cron_job: Object, schedule: Schedule, now: datetime) -> float | None:
    """In how many seconds the next start is due, None when there is none."""
    try:
        earliest, recent, missed = most_recent(cron_job, schedule, now)
    except ValueError:
        since = now
    else:
        since = recent or (earliest if missed is Missed.NONE else now)
    following = schedule.next(since)
    return (following - now).total_seconds() if following is not None else None


def most_recent(
    cron_job: Object, schedule: Schedule, now: datetime, *, within_deadline: bool = False
) -> tuple[datetime, datetime | None, Missed]:
    """From when on starts count, the latest that is due and was not made, and how many there are.

    `within_deadline`: what is past `startingDeadlineSeconds` does not count. Raises ValueError for a schedule
    that is never due.
    """
    earliest = _begin(cron_job, now if within_deadline else None)
    first = schedule.next(earliest)
    second = schedule.next(first) if first is not None else None
    if first is not None and now < first:
        return earliest, None, Missed.NONE
    if first is not None and second is not None and now < second:
        return earliest, first, Missed.NONE
    between_s = round((second - first).total_seconds()) if first is not None and second is not None else 0
    if first is None or between_s < 1:
        raise ValueError("time difference between two schedules is less than 1 second")
    # An estimate by the distance of the first two, which is all that upstream makes too: the time it leads to
    # lies one such distance back, so that the latest start is found with uneven distances as well.
    number = int((now - first).total_seconds()) // between_s + 1
    latest = schedule.latest(later(first, (number - 2) * between_s), now)
    return earliest, latest, Missed.MANY if number > MANY else Missed.FEW


def _begin(cron_job: Object, deadline_at: datetime | None) -> datetime:
    last = (cron_job.get("status") or {}).get("lastScheduleTime")
    begin = parse_time(last or metadata(cron_job)["creationTimestamp"])
    deadline_s = cron_job["spec"].get("startingDeadlineSeconds")
    if deadline_at is None or deadline_s is None:
        return begin
    return max(begin, later(deadline_at, -deadline_s))


def _refusal(cron_job: Object, due: datetime) -> list[Note] | None:
    """Why no job is started for that time though it is due (no words where that is no news), or None."""
    spec, status = cron_job["spec"], cron_job.get("status") or {}
    active, last = status.get("active") or (), status.get("lastScheduleTime")
    name = job_name(cron_job, due)
    if any(ref.get("name") == name for ref in active) or (last and parse_time(last) == due):
        return []
    if spec.get("concurrencyPolicy") == "Forbid" and active:
        message = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return [Note(NORMAL, "JobAlreadyActive", message)]
    return None


def _missed(due: datetime) -> Note:
    """A start that was not made before its deadline was over."""
    return Note(WARNING, "MissSchedule", f"Missed scheduled time to start a job: {format_datetime(due)}")


def _only(note: Note) -> Plan:
    return Plan(notes=[note])


def _unsupported(text: str) -> str:
    return (
        f'CRON_TZ or TZ used in schedule "{text}" is not officially supported, see '
        "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
    )
