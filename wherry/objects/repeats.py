"""What stands in a list twice, in time linear in its length: `repeated`, and `frozen` for what has no hash.

Lists are never searched in lists: `x in values[:index]` over a list of a client's is quadratic.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def frozen(value: Any) -> Hashable:
    """A hashable stand-in for a decoded JSON value, equal for equal ones: 1 is 1.0, but true is not 1."""
    if isinstance(value, dict):
        return dict, frozenset((key, frozen(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return list, tuple(frozen(item) for item in value)
    return (bool, value) if isinstance(value, bool) else value


def repeated(values: Iterable[T]) -> Iterator[tuple[int, T]]:
    """(index, value) of every value that stands in `values` before, in order."""
    seen: set[Hashable] = set()
    for index, value in enumerate(values):
        key = frozen(value)
        if key in seen:
            yield index, value
        else:
            seen.add(key)
