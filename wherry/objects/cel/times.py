"""Durations and timestamps as Go reads and shows them: time.ParseDuration, RFC 3339, time zones."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.operators import moment
from wherry.objects.cel.values import MAX_INT, Duration, Timestamp, go_shortest, no_overload

_SECOND = 1_000_000_000
_UNITS = {
    "ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": _SECOND,
    "m": 60 * _SECOND, "h": 3600 * _SECOND,
}  # fmt: skip
_PART = re.compile(r"([0-9]*+)(?:\.([0-9]*+))?([^0-9.]++)")
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_OFFSET = re.compile(r"([+-]?)(\d+):(\d+)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def duration_ns(text: str) -> int:
    """The nanoseconds a duration is written for. Raises ValueError."""
    wrong = ValueError(f"invalid duration {text!r}")
    rest, sign = text, 1
    if rest[:1] in ("+", "-"):
        sign, rest = (-1 if rest[0] == "-" else 1), rest[1:]
    if rest == "0":
        return 0
    if not rest or len(text) > 1000:
        raise wrong
    total = at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or found[3] not in _UNITS or not (found[1] or found[2]):
            raise wrong
        unit, fraction = _UNITS[found[3]], (found[2] or "")[:20]
        total += int(found[1] or 0) * unit
        if fraction:
            total += int(fraction) * unit // 10 ** len(fraction)
        if total > MAX_INT + 1:
            raise wrong
        at = found.end()
    if total > MAX_INT and not (sign < 0 and total == MAX_INT + 1):
        raise wrong
    return sign * total


_LONG_PART = re.compile(r"(?<![0-9])([0-9]++)\s*+([A-Za-zµ]++)")
_LONG_UNITS = (
    (1, ("ns",), "nano"), (1_000, ("us", "µs"), "micro"), (1_000_000, ("ms",), "milli"),
    (_SECOND, ("s",), "sec"), (60 * _SECOND, ("m",), "min"), (3600 * _SECOND, ("h", "hr"), "hour"),
    (24 * 3600 * _SECOND, ("d",), "day"), (7 * 24 * 3600 * _SECOND, ("w", "wk"), "week"),
)  # fmt: skip


def long_duration_ns(text: str) -> int:
    """As `duration_ns`, or else all that reads like "2 days" in the text, added up. Raises ValueError.

    Source: kube-openapi's strfmt, ParseDuration.
    """
    try:
        return duration_ns(text)
    except ValueError:
        found = list(_LONG_PART.finditer(text))
    total, is_one = 0, False
    for part in found:
        if len(part[1]) > 19 or int(part[1]) > MAX_INT:
            raise ValueError(f"invalid duration {text!r}")
        unit = part[2].lower()
        for ns, names, start in _LONG_UNITS:
            if unit in names or unit.startswith(start):
                total, is_one = total + int(part[1]) * ns, True
    if not is_one:
        raise ValueError(f"invalid duration {text!r}")
    return (total + MAX_INT + 1) % (1 << 64) - MAX_INT - 1  # as 64 bits hold it


def duration_of(text: str) -> Duration:
    """`duration(text)`. Raises CelError."""
    try:
        return Duration(duration_ns(text))
    except ValueError:
        raise CelError("type conversion error from 'string' to 'google.protobuf.Duration'") from None


def duration_from(value: Any) -> Duration:
    """`duration(value)`. Raises CelError."""
    if isinstance(value, str):
        return duration_of(value)
    if isinstance(value, Duration):
        return value
    raise no_overload("duration", [value])


def timestamp_from(value: Any) -> Timestamp:
    """`timestamp(value)`, of a text or the seconds since 1970. Raises CelError."""
    if isinstance(value, str):
        return timestamp_of(value)
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, int):
        return moment(value * _SECOND)
    raise no_overload("timestamp", [value])


def duration_text(value: Duration) -> str:
    """`string(value)`: seconds with a fraction."""
    whole, rest = divmod(abs(value.ns), _SECOND)
    seconds = whole + rest / 1e9
    return f"{go_shortest(-seconds if value.ns < 0 else seconds, 400, -400)}s"


def timestamp_parts(text: str) -> tuple[int, int]:
    """(nanoseconds since 1970, seconds ahead of UTC) of an RFC 3339 time. Raises ValueError."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"invalid time {text!r}")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction = (found[7] or "")[:9].ljust(9, "0")
    if not 0 <= second < 60 or (found[9] and (int(found[9]) > 24 or int(found[10]) > 60)):
        raise ValueError(f"invalid time {text!r}")
    # The year 0 has the days of the year 400 and is so many days before it.
    shift = 400 if year == 0 else 0
    at = datetime(year + shift, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH
    seconds = at.days * 86400 + at.seconds - (146097 * 86400 if shift else 0)
    ahead = 0
    if found[8]:
        ahead = int(found[9]) * 3600 + int(found[10]) * 60
        ahead = ahead if found[8] == "+" else -ahead
    return (seconds - ahead) * _SECOND + int(fraction), ahead


def timestamp_of(text: str) -> Timestamp:
    """`timestamp(text)`. Raises CelError."""
    try:
        ns, ahead = timestamp_parts(text)
    except ValueError:
        raise CelError("type conversion error from 'string' to 'google.protobuf.Timestamp'") from None
    return Timestamp(moment(ns).ns, ahead)


def timestamp_text(value: Timestamp) -> str:
    """`string(value)`: RFC 3339 with as many digits of a second as there are."""
    seconds, ns = divmod(value.ns, _SECOND)
    at = _EPOCH + timedelta(seconds=seconds + value.ahead)
    fraction = f".{ns:09d}".rstrip("0").rstrip(".")
    return f"{at.year:04d}-{at:%m-%dT%H:%M:%S}{fraction}{_offset(value.ahead)}"


def _offset(ahead: int) -> str:
    if not ahead:
        return "Z"
    hours, seconds = divmod(abs(ahead), 3600)
    return f"{'-' if ahead < 0 else '+'}{hours:02d}:{seconds // 60:02d}"


def in_zone(value: Timestamp, zone: str) -> datetime:
    """The moment as a clock in that zone shows it. Raises CelError."""
    at = _EPOCH + timedelta(seconds=value.ns // _SECOND)
    try:
        return at.astimezone(_zone(zone))
    except (OverflowError, ValueError) as error:
        if isinstance(error, CelError):
            raise
        raise CelError("timestamp overflow") from error


def _zone(name: str) -> tzinfo:
    if ":" in name:
        hours, _, minutes = name.partition(":")
        for part in (hours, minutes):
            if not re.fullmatch(r"[+-]?[0-9]+", part, re.ASCII):
                raise CelError(f'strconv.Atoi: parsing "{part}": invalid syntax')
        hour, minute = int(hours), int(minutes)
        ahead = hour * 60 - minute if hours.startswith("-") else hour * 60 + minute
        if not abs(ahead) < 24 * 60:
            return _Far(timedelta(minutes=ahead))
        return timezone(timedelta(minutes=ahead))
    if name in ("", "UTC", "Local"):
        return UTC
    if ".." in name or name.startswith(("/", "\\")):
        raise CelError("time: invalid location name")
    try:
        if name == name.lower():
            raise KeyError(name)
        from zoneinfo import ZoneInfo  # for those who ask for zones alone

        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise CelError(f"unknown time zone {name}") from error


class _Far(tzinfo):
    """An offset of a day or more, which Python's own timezone refuses."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def fromutc(self, moment: datetime) -> datetime:
        return moment + self._ahead

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _moment: datetime | None) -> str:
        return ""
