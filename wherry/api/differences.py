"""Where two values differ, in lines for people: `- path: before` and `+ path: after`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.objects.errors import show_value

_ABSENT = object()


def show_differences(old: Any, new: Any) -> str:
    """The differing leaves of two values, one line each side; what one side lacks has one line only."""
    return "\n".join(_lines(old, new, ""))


def _lines(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(old.keys() | new.keys()):
            at = f"{path}.{key}" if path else key
            yield from _lines(old.get(key, _ABSENT), new.get(key, _ABSENT), at)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _ABSENT
            after = new[index] if index < len(new) else _ABSENT
            yield from _lines(before, after, f"{path}[{index}]")
    else:
        for sign, value in (("-", old), ("+", new)):
            if value is not _ABSENT and value is not None:
                yield f"{sign} {path}: {show_value(value)}"
