"""Percentiles and tables: what a reader of figures relies on."""

from __future__ import annotations

import pytest

from bench.figures import Figure, as_table, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5.0], 99, 5.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_large_figures_are_shown_without_decimals() -> None:
    table = as_table([Figure("GET", 12345.6, "/s", "≥ 1"), Figure("start", 0.345, "s")])
    assert "| GET | 12,346 /s | ≥ 1 |" in table
    assert "| start | 0.34 s |  |" in table or "| start | 0.35 s |  |" in table
