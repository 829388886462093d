"""How long ago, in a few characters: "5s", "2m30s", "3h12m", "4d5h", "2y10d".

Two or three significant figures, by upstream's steps (apimachinery's HumanDuration), so that tables
look as people know them.
"""

from __future__ import annotations

from datetime import datetime

from wherry.objects.meta import parse_time

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY


def _pair(total: int, unit: tuple[int, str], part: tuple[int, str]) -> str:
    whole, rest = divmod(total, unit[0])
    second = rest // part[0]
    return f"{whole}{unit[1]}{second}{part[1]}" if second else f"{whole}{unit[1]}"


def human_duration(seconds: float) -> str:
    """A duration for people. Up to two seconds below zero pass for now, as clocks differ."""
    total = int(seconds)
    if total < 0:
        return "0s" if total >= -1 else INVALID
    if total < 2 * MINUTE:
        return f"{total}s"
    if total < 10 * MINUTE:
        return _pair(total, (MINUTE, "m"), (1, "s"))
    if total < 3 * HOUR:
        return f"{total // MINUTE}m"
    if total < 8 * HOUR:
        return _pair(total, (HOUR, "h"), (MINUTE, "m"))
    if total < 48 * HOUR:
        return f"{total // HOUR}h"
    if total < 8 * DAY:
        return _pair(total, (DAY, "d"), (HOUR, "h"))
    if total < 2 * YEAR:
        return f"{total // DAY}d"
    if total < 8 * YEAR:
        return _pair(total, (YEAR, "y"), (DAY, "d"))
    return f"{total // YEAR}y"


def age(timestamp: str | None, now: datetime) -> str:
    """The time from `timestamp` (RFC 3339) until `now`, "<unknown>" without one. ValueError for nonsense."""
    if not timestamp:
        return UNKNOWN
    return human_duration((now - parse_time(timestamp)).total_seconds())
