"""When a schedule of cron is due next, as robfig/cron v3 reckons it (SpecSchedule, ConstantDelaySchedule).

An hour that a change of the clocks leaves out is not made up for, and one that comes twice is due twice.
Times are aware datetimes; inside they are whole seconds since 1970, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_FIRST_DAY = _EPOCH.toordinal()
_DAY_S, _HOUR_S, _MINUTE_S = 86400, 3600, 60
YEARS = 5
"""What is not due within so many years is never due."""


class Schedule(Protocol):
    """What a schedule answers."""

    def next(self, after: datetime) -> datetime | None:
        """When it is due first after that time, None for never."""
        ...

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """When it is due last after one time and not after another, None when it is not: in few steps."""
        ...


@dataclass(frozen=True, slots=True)
class EverySchedule:
    """`@every 5m`: due so many seconds after it was due before."""

    delay_s: int

    def next(self, after: datetime) -> datetime | None:
        """See `Schedule`."""
        return _moment(_seconds(after) + self.delay_s)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """See `Schedule`."""
        times = (_seconds(until) - _seconds(after)) // self.delay_s
        return _moment(_seconds(after) + times * self.delay_s) if times > 0 else None


@dataclass(frozen=True, slots=True)
class FieldSchedule:
    """Five fields, each a set of numbers as bits. `any_day` says that one of the two fields of days is `*`:

    then both have to fit, otherwise one of them is enough.
    """

    minutes: int
    hours: int
    days: int
    months: int
    weekdays: int
    any_day: bool
    zone: ZoneInfo | None = None

    def next(self, after: datetime) -> datetime | None:
        """See `Schedule`."""
        found = _Search(self).after(_seconds(after))
        return None if found is None else _moment(found)

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """See `Schedule`."""
        search, low, high = _Search(self), _seconds(after), _seconds(until)
        latest = search.after(low)
        if latest is None or latest > high:
            return None
        low, end = latest, high  # nothing is due after `end`
        while end - low > 1:
            middle = (low + end) // 2
            due = search.after(middle)
            if due is not None and due <= high:
                low = latest = due
            else:
                end = middle
        return _moment(latest)

    def fits_day(self, day: date) -> bool:
        """Whether it is due on that day at all, in a month that fits."""
        by_day = bool(self.days >> day.day & 1)
        by_weekday = bool(self.weekdays >> day.isoweekday() % 7 & 1)
        return (by_day and by_weekday) if self.any_day else (by_day or by_weekday)


class _Search:
    """Goes from a second to the next one due: field by field, and from the first again after an overflow."""

    def __init__(self, schedule: FieldSchedule) -> None:
        self._schedule = schedule
        self._zone = schedule.zone
        self._is_rounded = False

    def after(self, second: int) -> int | None:
        """The first second after `second` that is due, None for never."""
        at: int | None = second + 1
        self._is_rounded = False
        limit = self._day(second + 1).year + YEARS
        while at is not None:
            if self._day(at).year > limit:
                return None
            for step in (self._month, self._day_of_month, self._hour, self._minute, self._second):
                at, has_wrapped = step(at)
                if has_wrapped:
                    break
            else:
                return at
        return None

    def _month(self, at: int) -> tuple[int, bool]:
        while not self._schedule.months >> (day := self._day(at)).month & 1:
            first = day.replace(day=1)
            at = self._round(at, first)
            following = (first + timedelta(days=32)).replace(day=1)
            at = self._utc(_midnight(following) + self._local(at) % _DAY_S)
            if following.month == 1:
                return at, True
        return at, False

    def _day_of_month(self, at: int) -> tuple[int, bool]:
        while not self._schedule.fits_day(day := self._day(at)):
            at = self._round(at, day)
            at = self._utc(self._local(at) + _DAY_S)
            hour = self._local(at) // _HOUR_S % 24
            if hour:  # there is no midnight on the day the clocks change
                at += (24 - hour if hour > 12 else -hour) * _HOUR_S
            if self._day(at).day == 1:
                return at, True
        return at, False

    def _hour(self, at: int) -> tuple[int, bool]:
        while not self._schedule.hours >> self._local(at) // _HOUR_S % 24 & 1:
            if not self._is_rounded:
                self._is_rounded = True
                local = self._local(at)
                at = self._utc(local - local % _HOUR_S)
            at += _HOUR_S
            if self._local(at) // _HOUR_S % 24 == 0:
                return at, True
        return at, False

    def _minute(self, at: int) -> tuple[int, bool]:
        while not self._schedule.minutes >> (minute := self._local(at) // _MINUTE_S % 60) & 1:
            if not self._is_rounded:
                self._is_rounded = True
                at -= at % _MINUTE_S
            at = self._later_minute(at, minute)
            if self._local(at) // _MINUTE_S % 60 == 0:
                return at, True
        return at, False

    def _later_minute(self, at: int, minute: int) -> int:
        """The next minute that fits or begins an hour; one minute on where the clocks change before that."""
        left = self._schedule.minutes >> minute + 1
        steps = min((left & -left).bit_length() if left else 60, 60 - minute)
        later = at + steps * _MINUTE_S
        return later if self._offset(later) == self._offset(at) else at + _MINUTE_S

    def _second(self, at: int) -> tuple[int, bool]:
        over = self._local(at) % _MINUTE_S
        if not over:
            return at, False
        self._is_rounded = True
        return at + _MINUTE_S - over, True

    def _round(self, at: int, day: date) -> int:
        """The beginning of the day, the first time something is moved on."""
        if self._is_rounded:
            return at
        self._is_rounded = True
        return self._utc(_midnight(day))

    def _day(self, at: int) -> date:
        return date.fromordinal(self._local(at) // _DAY_S + _FIRST_DAY)

    def _local(self, at: int) -> int:
        return at + self._offset(at)

    def _offset(self, at: int) -> int:
        if self._zone is None:
            return 0
        offset = datetime.fromtimestamp(at, self._zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0

    def _utc(self, local: int) -> int:
        """The second the zone's clocks show `local` at; of none or two such, the one Go's time.Date gives."""
        offset = self._offset(local)
        at = local - offset
        return at if self._offset(at) == offset else local - self._offset(at)


def _midnight(day: date) -> int:
    return (day.toordinal() - _FIRST_DAY) * _DAY_S


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
