"""Whole numbers in texts, as Go reads them (strconv.ParseInt with base 10 and 64 bits).

Python's `int` takes more: blanks around, `_` between digits, digits of other scripts, any length.
"""

from __future__ import annotations

import re

_INTEGER = re.compile(r"[-+]?[0-9]+")
_LONGEST = 64
"""More digits are leading zeros or out of range: neither is worth the time to read them."""


def parse_integer(text: str) -> int | None:
    """The number `text` says, None when it says none or one beyond 64 bits."""
    if len(text) > _LONGEST or not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
