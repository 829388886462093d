"""Schedules in cron's words: five fields, or one of the `@` descriptors.

The grammar is that of robfig/cron v3 (ParseStandard), which upstream reads schedules with, down to its
words for what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wherry.kit.remembered import remembered
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.schedules import EverySchedule, FieldSchedule, Schedule

DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "
_ZONES = ("TZ=", "CRON_TZ=")
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
_MOST = (1 << 63) - 1


class _Bounds(NamedTuple):
    """What a field may be: numbers from `low` to `high`, and names for some of them, in lower case."""

    low: int
    high: int
    names: Mapping[str, int]


def _named(names: str, first: int) -> dict[str, int]:
    return {name: number for number, name in enumerate(names.split(), first)}


_FIELDS = (
    _Bounds(0, 59, {}),
    _Bounds(0, 23, {}),
    _Bounds(1, 31, {}),
    _Bounds(1, 12, _named("jan feb mar apr may jun jul aug sep oct nov dec", 1)),
    _Bounds(0, 6, _named("sun mon tue wed thu fri sat", 0)),
)


def schedule_error(text: str) -> str:
    """What is wrong with a schedule, "" if nothing is. A time zone may stand in front (`TZ=Asia/Tokyo`)."""
    try:
        parse_schedule(text)
    except ValueError as error:
        return str(error)
    return ""


@remembered(4096)
def parse_schedule(text: str) -> Schedule:
    """The schedule a text says. Without a time zone in front it is meant in UTC.

    Raises ValueError, in robfig's words.
    """
    if not text:
        raise ValueError("empty spec string")
    zone: ZoneInfo | None = None
    if text.startswith(_ZONES):
        name, blank, rest = text.partition("=")[2].partition(" ")
        if not blank:
            raise ValueError("a schedule is missing after the time zone")
        if name not in ("", "Local"):
            if not is_zone(name):
                raise ValueError(f"provided bad location {name}: unknown time zone {name}")
            zone = ZoneInfo(name)
        text = rest.strip()
    if text.startswith(EVERY):
        return _every(text)
    if text.startswith("@"):
        if text not in DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    sets = [_read_field(field, bounds) for field, bounds in zip(fields, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = (numbers for numbers, _ in sets)
    return FieldSchedule(minutes, hours, days, months, weekdays, sets[2][1] or sets[4][1], zone)


def is_zone(name: str) -> bool:
    """Whether the system knows a time zone of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _every(text: str) -> Schedule:
    try:
        delay_ns = parse_go_duration(text.removeprefix(EVERY))
    except ValueError as error:
        raise ValueError(f"failed to parse duration {text}: {error}") from error
    return EverySchedule(max(delay_ns // 10**9, 1))


def _read_field(text: str, bounds: _Bounds) -> tuple[int, bool]:
    """A field's numbers as bits, and whether it says `*`; one without parts (",") has none."""
    numbers, is_any = 0, False
    for part in text.split(","):
        if part:
            found = _read_range(part, bounds)
            numbers, is_any = numbers | found[0], is_any or found[1]
    return numbers, is_any


def _read_range(text: str, bounds: _Bounds) -> tuple[int, bool]:
    """One of the parts of a field: `*`, `5`, `1-5`, each with `/2` or without; see `_read_field`."""
    span, *steps = text.split("/")
    ends = span.split("-")
    if ends[0] in ("*", "?"):
        first, last = bounds.low, bounds.high
    elif len(ends) > 2:
        raise ValueError(f"too many hyphens: {text}")
    else:
        first = _number_or_name(ends[0], bounds)
        last = _number_or_name(ends[-1], bounds)
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    step = _number(steps[0]) if steps else 1
    if steps and len(ends) == 1:
        last = bounds.high
    if first < bounds.low:
        raise ValueError(f"beginning of range ({first}) below minimum ({bounds.low}): {text}")
    if last > bounds.high:
        raise ValueError(f"end of range ({last}) above maximum ({bounds.high}): {text}")
    if first > last:
        raise ValueError(f"beginning of range ({first}) beyond end of range ({last}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    # A step takes the star away: `*/2` days are days that have to fit like any other.
    is_any = ends[0] in ("*", "?") and step == 1
    return sum(1 << number for number in range(first, last + 1, min(step, last + 1))), is_any


def _number_or_name(text: str, bounds: _Bounds) -> int:
    named = bounds.names.get(text.lower())
    return _number(text) if named is None else named


def _number(text: str) -> int:
    failed = f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": '
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{failed}invalid syntax")
    digits = text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > _MOST:
        raise ValueError(f"{failed}value out of range")
    if text.startswith("-") and digits != "0":
        raise ValueError(f"negative number (-{digits}) not allowed: {text}")
    return int(digits)
