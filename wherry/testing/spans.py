"""Spans of time as tests write them: seconds, a timedelta, or text such as "2h30m"."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TypeAlias

Span: TypeAlias = float | timedelta | str
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|[smhdw])")


def seconds(span: Span) -> float:
    """The span in seconds. Raises ValueError for text that is none."""
    if isinstance(span, timedelta):
        return span.total_seconds()
    if isinstance(span, str):
        parts = _PART.findall(span[:200])
        if not parts or "".join(number + unit for number, unit in parts) != span:
            raise ValueError(f"{span[:200]!r} is no span of time; write it as 90s, 2h30m or 1.5d")
        return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    return float(span)
