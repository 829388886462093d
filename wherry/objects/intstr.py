"""Values that are a number or a percentage of one: `maxUnavailable: 25%`."""

from __future__ import annotations

import re
from math import ceil

from wherry.kit.integers import go_integer, parse_integer

_PERCENT = re.compile(r"-?[0-9]+%", re.ASCII)


LONGEST_SHOWN = 64
"""Characters of a wrong percentage that are told."""


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
    try:
        share = go_integer(value[:-1], by="Atoi") * total
    except ValueError as error:
        shown = _quoted(value if len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}...")
        raise ValueError(f"invalid value for IntOrString: invalid value {shown}: {error}") from None
    return ceil(share / 100) if round_up else share // 100


def percent_of(value: str) -> int:
    """The number before the "%" of a percentage; 0 (as upstream's IntValue) for one beyond 64 bits."""
    return parse_integer(value[:-1]) or 0


def _quoted(text: str) -> str:
    return f'"{text}"'
