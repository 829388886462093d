"""Durations for people, by upstream's steps."""

from datetime import UTC, datetime

import pytest

from wherry.objects.durations import age, human_duration

M, H, D = 60, 3600, 86400
Y = 365 * D


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.9, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (2 * M, "2m"),
        (2 * M + 30, "2m30s"),
        (10 * M - 1, "9m59s"),
        (10 * M + 5, "10m"),
        (3 * H - 1, "179m"),
        (3 * H, "3h"),
        (3 * H + 12 * M + 5, "3h12m"),
        (8 * H + 59 * M, "8h"),
        (48 * H - 1, "47h"),
        (2 * D, "2d"),
        (4 * D + 5 * H + 59, "4d5h"),
        (8 * D - 1, "7d23h"),
        (8 * D + 23 * H, "8d"),
        (2 * Y - 1, "729d"),
        (2 * Y, "2y"),
        (2 * Y + 10 * D, "2y10d"),
        (8 * Y + 9 * D, "8y"),
    ],
)
def test_human_duration(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_age_counts_from_the_timestamp() -> None:
    now = datetime(2026, 1, 1, 0, 2, 30, tzinfo=UTC)
    assert age("2026-01-01T00:00:00Z", now) == "2m30s"
    assert age(None, now) == "<unknown>"
    assert age("", now) == "<unknown>"
