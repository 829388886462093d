"""Figures for Prometheus: counters, gauges and histograms with labels, and their text.

A name keeps at most `MOST_SERIES` sets of labels; what comes beyond counts under labels that all say "other",
so that nobody's names fill the memory. Figures that are looked up when they are asked for are a `Family` made
then.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

MOST_SERIES = 2000
OTHER = "other"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Prometheus' own (`prometheus.DefBuckets`)."""

Values = tuple[str, ...]


class Sample(NamedTuple):
    """One figure: label values in the order of the family's labels; when it was so in ms, None for now."""

    labels: Sequence[str]
    value: float
    at_ms: int | None = None


class Metric(Protocol):
    """What has lines in the text format."""

    def lines(self) -> Iterator[str]: ...


class Family:
    """Samples of one name, as they are given. `kind` is counter or gauge."""

    def __init__(
        self, name: str, kind: str, text: str, labels: Sequence[str], samples: Iterable[Sample]
    ) -> None:
        self.name, self.kind, self.text, self.labels = name, kind, text, labels
        self.samples = samples

    def lines(self) -> Iterator[str]:
        """All samples; nothing, not even a head, where there are none."""
        head = True
        for values, value, at_ms in self.samples:
            if head:
                yield from _head(self.name, self.kind, self.text)
                head = False
            stamp = "" if at_ms is None else f" {at_ms}"
            yield f"{self.name}{_braced(self.labels, values)} {number(value)}{stamp}"


class _Series:
    """One figure per set of label values."""

    kind = "untyped"

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self.values: dict[Values, float] = {} if labels else {(): 0.0}

    def lines(self) -> Iterator[str]:
        samples = (Sample(values, value) for values, value in list(self.values.items()))
        return Family(self.name, self.kind, self.text, self.labels, samples).lines()

    def forget(self, is_gone: Callable[[Values], bool]) -> None:
        """Tell nothing more of the label values that are gone."""
        for values in [values for values in self.values if is_gone(values)]:
            del self.values[values]

    def _key(self, values: Values) -> Values:
        return _bounded(self.name, self.labels, values, self.values)


class Counter(_Series):
    """Only grows."""

    kind = "counter"

    def inc(self, *values: str, by: float = 1.0) -> None:
        """Count `by` more."""
        key = self._key(values)
        self.values[key] = self.values.get(key, 0.0) + by


class Gauge(_Series):
    """Goes up and down."""

    kind = "gauge"

    def set(self, value: float, *values: str) -> None:
        """It is `value` now."""
        self.values[self._key(values)] = value

    def add(self, by: float, *values: str) -> None:
        """It is `by` more than before."""
        key = self._key(values)
        self.values[key] = self.values.get(key, 0.0) + by


class Histogram:
    """How often a figure was at most so much. `buckets` are the bounds, smallest first."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = BUCKETS_S
    ) -> None:
        self.name, self.text, self.labels, self.buckets = name, text, tuple(labels), tuple(buckets)
        self._series: dict[Values, list[float]] = {}
        if not labels:
            self._of(())

    def observe(self, value: float, *values: str) -> None:
        """It was `value` once more."""
        found = self._of(values)
        found[bisect_left(self.buckets, value)] += 1
        found[-1] += value

    def count(self, *values: str) -> int:
        """How often it was anything."""
        return int(sum(self._of(values)[:-1]))

    def lines(self) -> Iterator[str]:
        """Cumulative buckets, sum and count of every series."""
        if not self._series:
            return
        yield from _head(self.name, "histogram", self.text)
        for values, found in list(self._series.items()):
            running = 0
            for bound, times in zip((*self.buckets, math.inf), found, strict=False):
                running += int(times)
                labels = _braced((*self.labels, "le"), (*values, number(bound)))
                yield f"{self.name}_bucket{labels} {running}"
            labels = _braced(self.labels, values)
            yield f"{self.name}_sum{labels} {number(found[-1])}"
            yield f"{self.name}_count{labels} {running}"

    def forget(self, is_gone: Callable[[Values], bool]) -> None:
        """Tell nothing more of the label values that are gone."""
        for values in [values for values in self._series if is_gone(values)]:
            del self._series[values]

    def _of(self, values: Values) -> list[float]:
        key = _bounded(self.name, self.labels, values, self._series)
        return self._series.setdefault(key, [0.0] * (len(self.buckets) + 2))


def exponential(start: float, factor: float, count: int) -> tuple[float, ...]:
    """Bounds of buckets, each `factor` times the one before."""
    return tuple(start * factor**index for index in range(count))


def render(metrics: Iterable[Metric]) -> str:
    """The page of all of them."""
    return "".join(f"{line}\n" for metric in metrics for line in metric.lines())


def number(value: float) -> str:
    """A figure as Prometheus reads it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1 << 63 else repr(float(value))


def _bounded(name: str, labels: Values, values: Values, known: Collection[Values]) -> Values:
    """The key to count under. Raises ValueError for another number of values than there are labels."""
    if len(values) != len(labels):
        raise ValueError(f"{name} has the labels {labels}, not {len(values)} of them")
    return values if values in known or len(known) < MOST_SERIES else (OTHER,) * len(labels)


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {_escaped(text)}", f"# TYPE {name} {kind}"


def _braced(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    parts = ",".join(f'{n}="{_quoted(v)}"' for n, v in zip(names, values, strict=True))
    return f"{{{parts}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"') if '"' in text or "\\" in text or "\n" in text else text
