"""Times, as Go's own parser read them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from wherry.objects.go_times import LAYOUT, MICRO_LAYOUT, parse_go_time

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T00:00:00Z", DAY),
        ("2026-01-01T0:00:00Z", DAY),
        ("2026-01-01T00:00:00-00:00", DAY),
        ("2026-01-01T00:00:00,5Z", DAY.replace(microsecond=500_000)),
        ("2026-01-01T00:00:00.123456789123Z", DAY.replace(microsecond=123_456)),
        ("2026-01-01T00:00:00+24:00", datetime(2025, 12, 31, tzinfo=UTC)),
        ("2026-01-01T00:00:00+23:60", datetime(2025, 12, 31, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_reads(text: str, moment: datetime) -> None:
    assert parse_go_time(text) == moment


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2026-01-01T24:00:00Z", "hour"),
        ("2026-01-01T00:61:00Z", "minute"),
        ("2026-01-01T00:00:60Z", "second"),
        ("2026-02-30T00:00:00Z", "day"),
        ("2026-01-00T00:00:00Z", "day"),
        ("2026-13-01T00:00:00Z", "month"),
        ("2026-00-01T00:00:00Z", "month"),
        ("2026-01-01T00:00:00+25:00", "time zone offset hour"),
        ("9999-12-31T23:59:59-23:59", "year"),
        ("0001-01-01T00:00:00+23:59", "year"),
        ("0000-01-01T00:00:00Z", "year"),
    ],
)
def test_out_of_range(text: str, what: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_go_time(text)
    assert str(error.value) == f'parsing time "{text}": {what} out of range'


@pytest.mark.parametrize(
    ("text", "rest", "part"),
    [
        ("", "", "2006"),
        ("2026-01-01", "", "T"),
        ("2026-1-1T00:00:00Z", "1-1T00:00:00Z", "01"),
        ("2026-01-01t00:00:00z", "t00:00:00z", "T"),
        ("2026-01-01 00:00:00Z", " 00:00:00Z", "T"),
        ("2026-01-01T00:00:00", "", "Z07:00"),
        ("2026-01-01T00:00:00.Z", ".Z", "Z07:00"),
        ("2026-01-01T00:00:00+0000", "+0000", "Z07:00"),
        ("12026-01-01T00:00:00Z", "6-01-01T00:00:00Z", "-"),
    ],
)
def test_cannot_parse(text: str, rest: str, part: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_go_time(text)
    assert str(error.value) == f'parsing time "{text}" as "{LAYOUT}": cannot parse "{rest}" as "{part}"'


def test_extra_text() -> None:
    with pytest.raises(ValueError) as error:
        parse_go_time("2026-01-01T00:00:00Zx")
    assert str(error.value) == 'parsing time "2026-01-01T00:00:00Zx": extra text: "x"'


def test_micro_times_have_six_digits() -> None:
    assert parse_go_time("2026-01-01T00:00:00.000001Z", is_micro=True) == DAY.replace(microsecond=1)
    for text, rest, part in (
        ("2026-01-01T00:00:00Z", "Z", ".000000"),
        ("2026-01-01T00:00:00,5Z", ",5Z", ".000000"),
        ("2026-01-01T00:00:00.123456789123Z", "789123Z", "Z07:00"),
    ):
        with pytest.raises(ValueError) as error:
            parse_go_time(text, is_micro=True)
        assert (
            str(error.value)
            == f'parsing time "{text}" as "{MICRO_LAYOUT}": cannot parse "{rest}" as "{part}"'
        )
