"""Times as Go reads them in the layouts Kubernetes has: `parse_go_time`, with Go's words for what is wrong.

Source: Go's package time, Parse with RFC3339, and metav1.MicroTime's layout. Python's `fromisoformat` reads
another language (`20260101`, `2026-W01`, no zone), and knows the years 1 to 9999 only: others are refused.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

LAYOUT = "2006-01-02T15:04:05Z07:00"
MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"

# (pattern, how the layout writes it, its name if it has a range, smallest and largest value)
_DATE = (
    (re.compile(r"[0-9]{4}"), "2006", "", 0, 9999),
    (re.compile("-"), "-", "", 0, 0),
    (re.compile(r"[0-9]{2}"), "01", "month", 1, 12),
    (re.compile("-"), "-", "", 0, 0),
    (re.compile(r"[0-9]{2}"), "02", "", 0, 99),
    (re.compile("T"), "T", "", 0, 0),
    (re.compile(r"[0-9]{1,2}"), "15", "hour", 0, 23),
    (re.compile(":"), ":", "", 0, 0),
    (re.compile(r"[0-9]{2}"), "04", "minute", 0, 59),
    (re.compile(":"), ":", "", 0, 0),
    (re.compile(r"[0-9]{2}"), "05", "second", 0, 59),
)
_FRACTION = re.compile(r"[.,]([0-9]+)")
_MICROSECONDS = re.compile(r"[.,]([0-9]{6})")
_ZONE = re.compile(r"Z|([+-])([0-9]{2}):([0-9]{2})")


def parse_go_time(text: str, *, is_micro: bool = False) -> datetime:
    """The moment in UTC, to the microsecond; `is_micro` asks for exactly six digits of a second.

    Raises ValueError, in Go's words.
    """
    layout = MICRO_LAYOUT if is_micro else LAYOUT
    at, numbers = 0, list[int]()
    for pattern, part, name, least, most in _DATE:
        found = pattern.match(text, at)
        if found is None:
            raise _unreadable(text, layout, at, part)
        at = found.end()
        if part.isdigit():
            numbers.append(int(found[0]))
        if name and not least <= numbers[-1] <= most:
            raise _out_of_range(text, name)
    fraction = (_MICROSECONDS if is_micro else _FRACTION).match(text, at)
    if fraction is None and is_micro:
        raise _unreadable(text, layout, at, ".000000")
    at = fraction.end() if fraction is not None else at
    zone = _ZONE.match(text, at)
    if zone is None:
        raise _unreadable(text, layout, at, "Z07:00")
    if zone.end() < len(text):
        raise ValueError(f"parsing time {_quoted(text)}: extra text: {_quoted(text[zone.end() :])}")
    return _moment(text, numbers, fraction[1] if fraction is not None else "", zone)


def _moment(text: str, numbers: list[int], fraction: str, zone: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = numbers
    if zone[1] and int(zone[2]) > 24:
        raise _out_of_range(text, "time zone offset hour")
    if zone[1] and int(zone[3]) > 60:
        raise _out_of_range(text, "time zone offset minute")
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if not 1 <= day <= monthrange(2024 if leap else 2023, month)[1]:
        raise _out_of_range(text, "day")
    ahead = timedelta(hours=int(zone[2]), minutes=int(zone[3])) if zone[1] else timedelta()
    try:
        local = datetime(year, month, day, hour, minute, second, int(fraction[:6].ljust(6, "0")), tzinfo=UTC)
        return local + ahead if zone[1] == "-" else local - ahead
    except (ValueError, OverflowError):
        raise _out_of_range(text, "year") from None


def _unreadable(text: str, layout: str, at: int, part: str) -> ValueError:
    return ValueError(
        f"parsing time {_quoted(text)} as {_quoted(layout)}: "
        f"cannot parse {_quoted(text[at:])} as {_quoted(part)}"
    )


def _out_of_range(text: str, what: str) -> ValueError:
    return ValueError(f"parsing time {_quoted(text)}: {what} out of range")


def _quoted(text: str) -> str:
    """The text in quotes, what is not plain ASCII as the escapes of its bytes; no more than is of use."""
    shown = []
    for byte in text[:256].encode(errors="surrogatepass"):
        character = chr(byte)
        if character in '"\\':
            shown.append(f"\\{character}")
        else:
            shown.append(character if " " <= character <= "~" else f"\\x{byte:02x}")
    return f'"{"".join(shown)}"'
