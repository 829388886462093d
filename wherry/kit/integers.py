"""Numbers in texts, as Go reads them (strconv.ParseInt and ParseUint with base 10, ParseFloat of decimals).

Python's `int` takes more: blanks around, `_` between digits, digits of other scripts; and it raises for
more than some thousand digits. `str.isdigit` says yes to "²". So texts are read here and nowhere else
(`tests/test_integers.py` holds that).
"""

from __future__ import annotations

import json
import math
import re

_SIGNED = re.compile(r"[-+]?[0-9]+")
_REAL = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_DIGITS = re.compile(r"[0-9]+")
_LONGEST = 64
"""More digits are leading zeros or out of range: neither is worth the time to read them."""
_LONGEST_SHOWN = 1024


def parse_integer(text: str, bits: int = 64) -> int | None:
    """The number `text` says, None when it says none or one beyond `bits` bits with a sign."""
    if len(text) > _LONGEST or not _SIGNED.fullmatch(text):
        return None
    number = int(text)
    return number if -(1 << bits - 1) <= number < 1 << bits - 1 else None


def parse_unsigned(text: str, bits: int = 64) -> int | None:
    """The number `text` says in digits alone, None when it says none or one beyond `bits` bits."""
    if len(text) > _LONGEST or not _DIGITS.fullmatch(text):
        return None
    number = int(text)
    return number if number < 1 << bits else None


def go_integer(text: str, bits: int = 64, by: str = "ParseInt") -> int:
    """The number `text` says. Raises ValueError in the words of strconv's function `by`."""
    number = parse_integer(text, bits)
    if number is None:
        raise ValueError(_wrong(text, by, is_number=_SIGNED.fullmatch(text) is not None))
    return number


def go_unsigned(text: str, bits: int = 64) -> int:
    """The number `text` says in digits alone. Raises ValueError in the words of strconv.ParseUint."""
    number = parse_unsigned(text, bits)
    if number is None:
        raise ValueError(_wrong(text, "ParseUint", is_number=is_digits(text)))
    return number


def go_real(text: str) -> float:
    """The number `text` says in decimal, perhaps with a fraction. Raises ValueError as strconv.ParseFloat."""
    number = float(text) if len(text) <= _LONGEST and _REAL.fullmatch(text) is not None else math.nan
    if not math.isfinite(number):
        raise ValueError(_wrong(text, "ParseFloat", is_number=math.isinf(number)))
    return number


def is_digits(text: str) -> bool:
    """Whether the text is digits and nothing else, however many."""
    return _DIGITS.fullmatch(text) is not None


def _wrong(text: str, by: str, *, is_number: bool) -> str:
    shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    why = "value out of range" if is_number else "invalid syntax"
    return f"strconv.{by}: parsing {json.dumps(shown, ensure_ascii=False)}: {why}"
