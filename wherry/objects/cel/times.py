"""Parts of a timestamp as a clock in some time zone shows them: `start.getHours("Europe/Berlin")`.

The library knows them in UTC only; it asks here where a zone is named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_OFFSET = re.compile(r"([+-]?)(\d{1,2}):(\d{2})")


def _zone(name: str) -> tzinfo:
    """The time zone of that name, or that far from UTC. Raises ValueError when there is none."""
    try:
        if (found := _OFFSET.fullmatch(name)) is not None:
            ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
            return timezone(-ahead if found[1] == "-" else ahead)
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def _in_zone(part: Callable[[datetime], int]) -> Callable[[datetime, str], int]:
    def read(moment: datetime, zone: str) -> int:
        return part(moment.astimezone(_zone(zone)))

    return read


TIMES: Mapping[str, Callable[[datetime, str], int]] = {
    "getFullYear": _in_zone(lambda moment: moment.year),
    "getMonth": _in_zone(lambda moment: moment.month - 1),
    "getDate": _in_zone(lambda moment: moment.day),
    "getDayOfMonth": _in_zone(lambda moment: moment.day - 1),
    "getDayOfWeek": _in_zone(lambda moment: moment.isoweekday() % 7),
    "getDayOfYear": _in_zone(lambda moment: moment.timetuple().tm_yday - 1),
    "getHours": _in_zone(lambda moment: moment.hour),
    "getMinutes": _in_zone(lambda moment: moment.minute),
    "getSeconds": _in_zone(lambda moment: moment.second),
    "getMilliseconds": _in_zone(lambda moment: moment.microsecond // 1000),
}
