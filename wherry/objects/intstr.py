"""Values that are a number or a percentage of one: `maxUnavailable: 25%`."""

from __future__ import annotations

import re
from math import ceil

_PERCENT = re.compile(r"-?[0-9]+%", re.ASCII)


def is_percent(value: int | str) -> bool:
    """Whether the value is text such as "25%"."""
    return isinstance(value, str) and _PERCENT.fullmatch(value) is not None


def resolve(value: int | str, total: int, round_up: bool) -> int:
    """The number itself, or the percentage of `total`, rounded up or down.

    Raises ValueError, worded as upstream, for text that is no percentage.
    """
    if isinstance(value, int):
        return value
    if not is_percent(value):
        why = (
            f"invalid value {_quoted(value)}: strconv.Atoi: parsing {_quoted(value[:-1])}: invalid syntax"
            if value.endswith("%")
            else "invalid type: string is not a percentage"
        )
        raise ValueError(f"invalid value for IntOrString: {why}")
    share = int(value[:-1]) * total
    return ceil(share / 100) if round_up else share // 100


def _quoted(text: str) -> str:
    return f'"{text}"'
