"""What a measurement gives, and how it is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, its unit, and the goal it is held against ("" for none)."""

    name: str
    value: float
    unit: str
    goal: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the `values` do not exceed. Raises ValueError for no values."""
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def as_json(figures: Sequence[Figure]) -> str:
    """One JSON document."""
    return json.dumps([asdict(figure) for figure in figures], indent=2)


def as_table(figures: Sequence[Figure]) -> str:
    """A Markdown table."""
    lines = ["| what | measured | goal |", "| --- | ---: | --- |"]
    for figure in figures:
        number = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.2f}"
        lines.append(f"| {figure.name} | {number} {figure.unit} | {figure.goal} |")
    return "\n".join(lines)
