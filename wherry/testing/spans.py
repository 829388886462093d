"""Spans of time as tests write them: seconds, a timedelta, or text such as "2h30m"."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TypeAlias

Span: TypeAlias = float | timedelta | str
LONGEST_S = 36525 * 86400.0
"""A hundred years: simulated time is gone through timer by timer, and what is longer never ends."""
_FORMS = "write it as seconds, a timedelta, or text such as 90s, 2h30m or 1.5d"
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[smhdw])")


class SpanError(ValueError):
    """What is no span of time, or one that no test can wait for."""


def seconds(span: Span) -> float:
    """The span in seconds, not above `LONGEST_S`. Raises SpanError for what is none."""
    found = _read(span)
    if math.isnan(found):
        raise SpanError(f"nan is no span of time; {_FORMS}")
    if abs(found) > LONGEST_S:
        raise SpanError(
            f"a span of time of {_shown(span)} is too long; the longest is {LONGEST_S / 86400:g}d"
        )
    return found


def _read(span: Span) -> float:
    if isinstance(span, timedelta):
        return span.total_seconds()
    if isinstance(span, str):
        size = span.removeprefix("-")
        parts = _PART.findall(size[:200])
        if not parts or "".join(number + unit for number, unit in parts) != size:
            raise SpanError(f"{span[:200]!r} is no span of time; {_FORMS}")
        found = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
        return found if size == span else -found
    try:
        return float(span)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise SpanError(f"{_shown(span)} is no span of time; {_FORMS}") from None


def _shown(span: object) -> str:
    if isinstance(span, str | float):
        return str(span)
    if isinstance(span, int):  # Python writes no number of thousands of digits
        return str(span) if span.bit_length() < 64 else f"a number of {span.bit_length()} bits"
    return str(span)[:40] if isinstance(span, timedelta) else f"a {type(span).__name__}"
