"""When schedules are due: robfig's own table of clock changes, and against a walk over every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.objects.cron import parse_schedule
from wherry.objects.schedules import FieldSchedule

NEW_YORK, SAO_PAULO = "TZ=America/New_York ", "TZ=America/Sao_Paulo "


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("*/15 * * * *", "2012-07-09T14:45:00+00:00", "2012-07-09T15:00:00+00:00"),
        ("*/15 * * * *", "2012-07-09T14:59:59.5+00:00", "2012-07-09T15:00:00+00:00"),
        ("20-35/15 * * * *", "2012-07-09T15:45:00+00:00", "2012-07-09T16:20:00+00:00"),
        ("*/15 0-2/2 * * *", "2012-07-09T23:45:00+00:00", "2012-07-10T00:00:00+00:00"),
        ("0 0 13 * 5", "2026-01-03T00:00:00+00:00", "2026-01-09T00:00:00+00:00"),
        ("0 0 13 * *", "2026-01-03T00:00:00+00:00", "2026-01-13T00:00:00+00:00"),
        ("0 0 */2 * 5", "2026-01-03T00:00:00+00:00", "2026-01-05T00:00:00+00:00"),
        ("0 0 ? 2 mon", "2012-07-09T00:00:00+00:00", "2013-02-04T00:00:00+00:00"),
        ("0 0 29 2 *", "2012-07-09T00:00:00+00:00", "2016-02-29T00:00:00+00:00"),
        ("0 0 30 feb ?", "2012-07-09T00:00:00+00:00", None),
        ("0 0 31 apr ?", "2012-07-09T00:00:00+00:00", None),
        (", * * * *", "2012-07-09T00:00:00+00:00", None),
        ("@hourly", "2012-07-09T14:00:00+00:00", "2012-07-09T15:00:00+00:00"),
        ("@weekly", "2012-07-09T14:00:00+00:00", "2012-07-15T00:00:00+00:00"),
        ("@yearly", "2012-07-09T14:00:00+00:00", "2013-01-01T00:00:00+00:00"),
        ("@every 90s", "2012-07-09T14:00:10.7+00:00", "2012-07-09T14:01:40+00:00"),
        ("@every 1ms", "2012-07-09T14:00:00+00:00", "2012-07-09T14:00:01+00:00"),
        ("@every -5m", "2012-07-09T14:00:00+00:00", "2012-07-09T14:00:01+00:00"),
        ("@every 1500ms", "2012-07-09T14:00:00+00:00", "2012-07-09T14:00:01+00:00"),
        # Clocks go from 2 to 3: what is due between is left out.
        (NEW_YORK + "30 2 11 mar ?", "2012-03-11T00:00:00-05:00", "2013-03-11T02:30:00-04:00"),
        (NEW_YORK + "0 * * * ?", "2012-03-11T01:00:00-05:00", "2012-03-11T03:00:00-04:00"),
        (NEW_YORK + "0 1 * * ?", "2012-03-11T01:00:00-05:00", "2012-03-12T01:00:00-04:00"),
        (NEW_YORK + "0 2 * * ?", "2012-03-11T00:00:00-05:00", "2012-03-12T02:00:00-04:00"),
        # Clocks go from 2 back to 1: what is due between comes twice.
        (NEW_YORK + "30 2 04 nov ?", "2012-11-04T00:00:00-04:00", "2012-11-04T02:30:00-05:00"),
        (NEW_YORK + "30 1 04 nov ?", "2012-11-04T01:45:00-04:00", "2012-11-04T01:30:00-05:00"),
        (NEW_YORK + "0 * * * ?", "2012-11-04T01:00:00-04:00", "2012-11-04T01:00:00-05:00"),
        (NEW_YORK + "0 * * * ?", "2012-11-04T01:00:00-05:00", "2012-11-04T02:00:00-05:00"),
        (NEW_YORK + "0 1 * * ?", "2012-11-04T01:00:00-04:00", "2012-11-04T01:00:00-05:00"),
        (NEW_YORK + "0 1 * * ?", "2012-11-04T01:00:00-05:00", "2012-11-05T01:00:00-05:00"),
        (NEW_YORK + "0 2 * * ?", "2012-11-04T00:00:00-04:00", "2012-11-04T02:00:00-05:00"),
        (NEW_YORK + "0 3 * * ?", "2012-11-04T01:30:00-05:00", "2012-11-04T03:00:00-05:00"),
        (NEW_YORK + "0 3 3 * ?", "2012-11-04T00:00:00-04:00", "2012-12-03T03:00:00-05:00"),
        # There is no midnight on the day the clocks change.
        (SAO_PAULO + "0 9 10 * ?", "2018-10-17T05:00:00-04:00", "2018-11-10T06:00:00-05:00"),
        (SAO_PAULO + "0 9 22 * ?", "2018-02-14T05:00:00-05:00", "2018-02-22T07:00:00-05:00"),
        (SAO_PAULO + "0 0 * * ?", "2018-11-03T00:00:00-03:00", "2018-11-05T00:00:00-02:00"),
    ],
)
def test_when_it_is_due(schedule: str, after: str, due: str | None) -> None:
    assert parse_schedule(schedule).next(at(after)) == (at(due) if due else None)


NUMBERS = ("*", "0", "30", "*/7", "5,10", "20-40/3", "59")
FIELDS = st.tuples(
    st.sampled_from(NUMBERS),
    st.sampled_from(("*", "0", "1", "2", "3", "*/5", "22-23")),
    st.sampled_from(("*", "1", "8", "*/10", "28-31")),
    st.sampled_from(("*", "*", "3", "10,11")),
    st.sampled_from(("*", "*", "0", "1-5")),
)
ZONES = ("UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@settings(max_examples=150, deadline=None)
@given(FIELDS, st.sampled_from(ZONES), st.integers(0, 60 * 24 * 260))
def test_nothing_is_passed_over(fields: tuple[str, ...], zone: str, minutes: int) -> None:
    """No minute before the one given would have fitted, by the zone's clocks; and that one does."""
    schedule = parse_schedule(f"TZ={zone} {' '.join(fields)}")
    assert isinstance(schedule, FieldSchedule)
    after = BEGIN + timedelta(minutes=minutes)
    due = schedule.next(after)
    if due is None:
        return
    assert _fits(schedule, due, zone)
    moment = after + timedelta(minutes=1)
    for _ in range(min(3000, int((due - moment).total_seconds() // 60))):
        assert not _fits(schedule, moment, zone), moment
        moment += timedelta(minutes=1)


def _fits(schedule: FieldSchedule, moment: datetime, zone: str) -> bool:
    local = moment.astimezone(ZoneInfo(zone))
    return bool(
        schedule.minutes >> local.minute & 1
        and schedule.hours >> local.hour & 1
        and schedule.months >> local.month & 1
        and schedule.fits_day(local.date())
    )


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        ("*/7 * * * *", "0 9-17 * * 1-5", "59 23 31 * *", "@every 7m", "TZ=America/New_York 30 1 * * *")
    ),
    st.integers(0, 60 * 24 * 300),
    st.integers(0, 60 * 24 * 4),
)
def test_the_latest_is_the_last_of_those_one_after_another(schedule: str, begin: int, length: int) -> None:
    parsed = parse_schedule(schedule)
    after = BEGIN + timedelta(minutes=begin)
    until = after + timedelta(minutes=length)
    latest, due = None, parsed.next(after)
    while due is not None and due <= until:
        latest, due = due, parsed.next(due)
    assert parsed.latest(after, until) == latest


def test_the_latest_of_a_million_is_found_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    from wherry.objects import schedules

    search = schedules._Search.after

    def counted(self: schedules._Search, second: int) -> int | None:
        asked.append(second)
        return search(self, second)

    monkeypatch.setattr(schedules._Search, "after", counted)
    latest = parse_schedule("* * * * *").latest(
        at("2000-01-01T00:00:00+00:00"), at("2026-01-01T00:00:30+00:00")
    )
    assert latest == at("2026-01-01T00:00:00+00:00")
    assert len(asked) < 40
