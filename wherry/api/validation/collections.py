"""Validation of lists and maps with a limit: the size first, then every item, then what stands twice.

A list that is too long is not looked into, so that no request can ask for endless work.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from wherry.objects.errors import FieldError, duplicate_value, too_many

ItemCheck: TypeAlias = Callable[[Any, str], list[FieldError]]
"""What is wrong with an item at a path."""


def validate_list(
    items: Sequence[Any] | None, path: str, check: ItemCheck, limit: int = -1
) -> list[FieldError]:
    """Every item of the list, which has at most `limit` of them (negative: any number)."""
    found = items or ()
    if 0 <= limit < len(found):
        return [too_many(path, len(found), limit)]
    return [error for index, item in enumerate(found) for error in check(item, f"{path}[{index}]")]


def validate_set(
    items: Sequence[Any] | None,
    path: str,
    check: ItemCheck,
    key: Callable[[Any], Hashable],
    limit: int = -1,
) -> list[FieldError]:
    """`validate_list`, and no two items with the same key."""
    found = items or ()
    errors = validate_list(found, path, check, limit)
    if 0 <= limit < len(found):
        return errors
    seen: set[Hashable] = set()
    for index, item in enumerate(found):
        this = key(item)
        if this in seen:
            errors.append(duplicate_value(f"{path}[{index}]", this))
        seen.add(this)
    return errors


def validate_map(
    items: Mapping[str, Any] | None,
    path: str,
    check_key: ItemCheck,
    check: ItemCheck,
    limit: int = -1,
    key_limit: int = 253,
) -> list[FieldError]:
    """Every key and value of the map; keys beyond `key_limit` are shown shortened."""
    found = items or {}
    if 0 <= limit < len(found):
        return [too_many(path, len(found), limit)]
    errors: list[FieldError] = []
    for key, item in found.items():
        errors += check_key(key, path)
        errors += check(item, f"{path}[{_shortened(key, key_limit)}]")
    return errors


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    rest = limit - len("...")
    return f"{text[: (rest + 1) // 2]}...{text[len(text) - rest // 2 :]}"
