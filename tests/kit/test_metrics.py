"""Figures for Prometheus, read back by its own parser."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wherry.kit import metrics
from wherry.kit.metrics import Counter, Family, Gauge, Histogram, Sample, exponential, number, render


def read(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples of a page."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_what_is_counted_is_read_back() -> None:
    counter, gauge = Counter("a_total", "how\\many\nlines", ("who",)), Gauge("b", "now")
    odd = 'quote" back\\slash\nline'
    counter.inc(odd)
    counter.inc(odd, by=1.5)
    gauge.set(3)
    gauge.add(-1)
    found = read(render([counter, gauge]))
    assert found[("a_total", (("who", odd),))] == 2.5
    assert found[("b", ())] == 2


def test_a_histogram_has_its_bounds() -> None:
    histogram = Histogram("h_seconds", "took", ("step",), (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7):
        histogram.observe(value, "x")
    found = read(render([histogram]))
    assert [found[("h_seconds_bucket", (("le", le), ("step", "x")))] for le in ("0.1", "1", "+Inf")] == [
        2,
        3,
        4,
    ]
    assert found[("h_seconds_count", (("step", "x"),))] == 4
    assert found[("h_seconds_sum", (("step", "x"),))] == pytest.approx(7.65)


def test_without_labels_there_is_a_zero_with_labels_nothing() -> None:
    assert render([Counter("a_total", "t")]).splitlines()[-1] == "a_total 0"
    assert render([Counter("a_total", "t", ("l",)), Histogram("h", "t", ("l",))]) == ""
    assert "h_count 0" in render([Histogram("h", "t")])


def test_strangers_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 3)
    counter, histogram = Counter("a_total", "t", ("l", "m")), Histogram("h", "t", ("l",))
    for index in range(10):
        counter.inc(str(index), "m")
        histogram.observe(1, str(index))
    assert counter.values[("other", "other")] == 7
    assert histogram.count("other") == 7
    counter.inc("0", "m")
    assert counter.values[("0", "m")] == 2
    counter.forget(lambda values: values[0] == "0")
    assert ("0", "m") not in counter.values


def test_another_number_of_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="a_total"):
        Counter("a_total", "t", ("l",)).inc()
    with pytest.raises(ValueError, match="h has"):
        Histogram("h", "t").observe(1, "x")


def test_samples_may_have_a_moment() -> None:
    family = Family("f", "gauge", "t", ("a",), [Sample(("x",), 1.5, 1700000000123)])
    assert list(family.lines())[-1] == 'f{a="x"} 1.5 1700000000123'


def test_numbers() -> None:
    assert [number(value) for value in (1.0, 0.5, 1e18, float("inf"), float("-inf"), float("nan"))] == [
        "1",
        "0.5",
        "1000000000000000000",
        "+Inf",
        "-Inf",
        "NaN",
    ]
    assert exponential(1, 2, 4) == (1, 2, 4, 8)
