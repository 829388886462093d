"""What stands in a list twice, in time linear in its length: `repeated`, and `frozen` for what has no hash.

Lists are never searched in lists: `x in values[:index]` over a list of a client's is quadratic.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def frozen(value: Any) -> Hashable:
    """A hashable stand-in for a decoded JSON value: equal exactly for values Go holds equal.

    Unlike in Python, true is not 1 and 1 is not 1.0 there, so scalars carry their type.
    """
    if isinstance(value, dict):
        return dict, frozenset((key, frozen(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return list, tuple(frozen(item) for item in value)
    return value if isinstance(value, str) else (type(value), value)


def repeated(values: Iterable[T]) -> Iterator[tuple[int, T]]:
    """(index, value) of every value that stands in `values` before, in order."""
    seen: set[Hashable] = set()
    for index, value in enumerate(values):
        key = frozen(value)
        if key in seen:
            yield index, value
        else:
            seen.add(key)
