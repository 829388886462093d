"""Whole numbers as Go's strconv.ParseInt reads them."""

from __future__ import annotations

import pytest

from wherry.kit.integers import go_real, parse_integer


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


@pytest.mark.parametrize(
    ("text", "number"), [("0.1", 0.1), (".5", 0.5), ("1.", 1.0), ("-2", -2.0), ("+1e2", 100.0)]
)
def test_real_numbers(text: str, number: float) -> None:
    assert go_real(text) == number


@pytest.mark.parametrize("text", ["", ".", "1_0", " 1", "²", "nan", "inf", "0x1", "1" * 5000])
def test_texts_that_are_no_real_number(text: str) -> None:
    with pytest.raises(ValueError, match="invalid syntax"):
        go_real(text)


def test_a_real_number_has_an_end() -> None:
    with pytest.raises(ValueError, match="out of range"):
        go_real("1e999")
