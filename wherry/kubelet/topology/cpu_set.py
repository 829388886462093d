"""Sets of processors, or of NUMA nodes, as Linux writes them: `0-3,8,10-11`. Source: k8s.io/utils/cpuset."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.kit.integers import parse_unsigned

MOST = 1 << 16
"""Numbers from here on are no processors of any machine."""


def parse_cpus(text: str) -> frozenset[int]:
    """The numbers of a list. Raises ValueError."""
    found: set[int] = set()
    if not text.strip():
        return frozenset()
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        low = _number(first, text)
        high = _number(last, text) if dash else low
        if high < low:
            raise ValueError(f'invalid range "{part}" ({high} < {low})')
        found.update(range(low, high + 1))
    return frozenset(found)


def _number(digits: str, text: str) -> int:
    number = parse_unsigned(digits)
    if number is None or number >= MOST:
        raise ValueError(f'"{digits}" in "{text}" is no number of a processor')
    return number


def show_cpus(cpus: Iterable[int]) -> str:
    """The list that stands for these numbers, as short as can be."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
