"""Durations as Go writes them: "1h30m", "-1.5s", "250us". Source: Go's package time, ParseDuration."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5, the micro sign
    "μs": 10**3,  # U+03BC, the Greek letter
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"(\d*)(?:(\.)(\d*))?([^.\d]*)", re.ASCII)
_MOST_NS = (1 << 63) - 1
LONGEST = 1024
"""Characters a duration may have: none that fits into 64 bits needs more."""


def parse_go_duration(text: str) -> int:
    """The duration in nanoseconds. Raises ValueError with Go's words."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    if not rest or len(text) > LONGEST:
        raise _invalid(text)
    total = 0
    at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None or not (found[1] or found[3]):
            raise _invalid(text)
        whole, fraction, unit = found[1] or "0", found[3] or "", found[4]
        if not unit:
            raise ValueError(f"time: missing unit in duration {_quoted(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {_quoted(unit)} in duration {_quoted(text)}")
        size = _UNITS[unit]
        total += int(whole) * size
        if fraction:
            total += int(fraction) * size // 10 ** len(fraction)
        at = found.end()
    is_negative = text.startswith("-")
    if total > _MOST_NS + is_negative:
        raise _invalid(text)
    return -total if is_negative else total


def _invalid(text: str) -> ValueError:
    return ValueError(f"time: invalid duration {_quoted(text)}")


def _quoted(text: str) -> str:
    """The text in quotes, what is not plain ASCII as the escapes of its bytes."""
    shown = []
    for byte in text.encode(errors="surrogatepass"):
        character = chr(byte)
        if character in '"\\':
            shown.append(f"\\{character}")
        else:
            shown.append(character if " " <= character <= "~" else f"\\x{byte:02x}")
    return f'"{"".join(shown)}"'
