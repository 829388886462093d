"""Parts of timestamps and durations: `getHours()` and the like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from wherry.objects.cel.declarations import declare
from wherry.objects.cel.times import in_zone
from wherry.objects.cel.values import Duration, Timestamp

_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
}
_UNITS = {"getHours": 3_600_000_000_000, "getMinutes": 60_000_000_000, "getSeconds": 1_000_000_000}


def _of_timestamp(part: Callable[[datetime], int]) -> Callable[..., int]:
    return lambda value, zone="": part(in_zone(value, zone))


def _of_duration(unit: int) -> Callable[[Duration], int]:
    return lambda value: abs(value.ns) // unit * (-1 if value.ns < 0 else 1)


def _milliseconds(value: Timestamp, zone: str = "") -> int:
    in_zone(value, zone)
    return value.ns // 1_000_000 % 1000


for _name, _part in _PARTS.items():
    declare(_name, "timestamp.() -> int", _of_timestamp(_part))
    declare(_name, "timestamp.(string) -> int", _of_timestamp(_part))
for _name, _unit in _UNITS.items():
    declare(_name, "duration.() -> int", _of_duration(_unit))
declare("getMilliseconds", "timestamp.() -> int", _milliseconds)
declare("getMilliseconds", "timestamp.(string) -> int", _milliseconds)
declare("getMilliseconds", "duration.() -> int", _of_duration(1_000_000))
