"""Whole numbers as Go's strconv.ParseInt reads them."""

from __future__ import annotations

import pytest

from wherry.kit.integers import parse_integer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("007", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("-9223372036854775808", -(2**63)),
        ("", None),
        (" 7", None),
        ("7\n", None),
        ("1_0", None),
        ("1.0", None),
        ("\N{ARABIC-INDIC DIGIT THREE}", None),
        ("9" * 100_000, None),
    ],
)
def test_what_is_a_number(text: str, number: int | None) -> None:
    assert parse_integer(text) == number
