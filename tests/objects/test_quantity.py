from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.objects.quantity import (
    FORMAT_WRONG,
    MAX_INT,
    NUMBER_WRONG,
    SUFFIX_WRONG,
    canonical_quantity,
    is_multiple,
    is_whole,
    milli,
    parse_quantity,
    whole,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("100", "100"),
        ("100m", "0.1"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1.", "1"),
        ("-1.5Gi", "-1610612736"),
        ("+2k", "2000"),
        ("1Ki", "1024"),
        ("12e6", "12000000"),
        ("12E-3", "0.012"),
        ("1E", "1000000000000000000"),
        ("3n", "0.000000003"),
        ("0.1n", "0.000000001"),
        ("-0.0000000001", "-0.000000001"),
        ("1e-400", "0.000000001"),
        ("100Ei", str(MAX_INT)),
        (7, "7"),
        (0.5, "0.5"),
        ("k", "0"),
        ("-", "0"),
        (".", "0"),
        ("e3", "0"),
    ],
)
def test_parses(text: str | int | float, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "aoeu", "1 1", " 1", "1 ", "1\n", "1.1.1", "1Zi", "1m5x", "0x10", "٣"])
def test_refuses_what_has_the_wrong_form(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_quantity(text)
    assert str(error.value) == FORMAT_WRONG


@pytest.mark.parametrize("text", ["1mi", "1ki", "1K", "1e", "1i", "1em", "1-5", "1k5", "1ee", "--1", "+-1"])
def test_refuses_unknown_suffixes(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_quantity(text)
    assert str(error.value) == SUFFIX_WRONG


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("0Gi", "0"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1000Ki", "1000Ki"),
        ("1023", "1023"),
        ("512Mi", "512Mi"),
        ("0.5Ki", "512"),
        ("0.5Mi", "512Ki"),
        ("0.1Ki", "102400m"),
        ("1.1Ki", "1126400m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("100000", "100k"),
        ("1e3", "1e3"),
        ("12e4", "120e3"),
        ("1E0", "1"),
        ("1000E", "1e21"),
        ("-1000m", "-1"),
        ("0.0001", "100u"),
        ("2Ei", "2Ei"),
        (2, "2"),
    ],
)
def test_canonical_spelling(text: str | int, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


@pytest.mark.parametrize(
    ("text", "in_milli", "in_whole"),
    [
        ("1", 1000, 1),
        ("1500m", 1500, 2),
        ("1u", 1, 1),
        ("-1500m", -1500, -1),
        ("1Gi", 1024**3 * 1000, 1024**3),
        ("1e900", MAX_INT, MAX_INT),
        ("-1e30", -MAX_INT, -MAX_INT),
        (3, 3000, 3),
    ],
)
def test_as_integers(text: str | int, in_milli: int, in_whole: int) -> None:
    assert milli(text) == in_milli
    assert whole(text) == in_whole


@pytest.mark.parametrize("text", ["1e999999999", "1e9223372036854775807", "1" * 1001, "12" * 500_000])
def test_refuses_numbers_nobody_can_count_with(text: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_quantity(text)
    assert str(error.value) in (NUMBER_WRONG, SUFFIX_WRONG)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1" * 1000, "0." + "1" * 100_000, "1e-999999999"])
def test_the_largest_and_finest_numbers_are_counted_with(text: str) -> None:
    value = parse_quantity(text)
    assert parse_quantity(canonical_quantity(text)) == value
    assert is_multiple(value, Decimal("1e-9"))
    assert is_whole(value) == is_multiple(value, Decimal(1))


suffixes = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "e3", "E-2"]


@given(st.integers(-(10**6), 10**6), st.integers(0, 999), st.sampled_from(suffixes))
def test_canonical_form_keeps_the_value_and_is_stable(number: int, fraction: int, suffix: str) -> None:
    text = f"{number}.{fraction}{suffix}"
    spelled = canonical_quantity(text)
    assert parse_quantity(spelled) == parse_quantity(text)
    assert canonical_quantity(spelled) == spelled
