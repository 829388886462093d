"""What `Object{...}` and `JSONPatch{...}` make: a map that keeps its type's name in an entry of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wherry.objects.cel.errors import CelError
from wherry.objects.cel.times import duration_text, timestamp_text
from wherry.objects.cel.values import Duration, Optional, Timestamp

TYPE = "$type"


def make_object(name: str, fields: Iterable[tuple[str, Any, bool]]) -> dict[str, Any]:
    """An object of that type; of its fields (name, value, is optional) those that are there."""
    made: dict[str, Any] = {TYPE: name}
    for field, value, is_optional in fields:
        if not is_optional:
            made[field] = value
        elif not isinstance(value, Optional):
            raise CelError(f"cannot initialize optional entry '{field}' from non-optional value")
        elif value.is_there:
            made[field] = value.value
    return made


def plain(value: Any) -> Any:
    """The value without the names of its types."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items() if name != TYPE}
        case list():
            return [plain(item) for item in value]
        case Timestamp():
            return timestamp_text(value)
        case Duration():
            return duration_text(value)
    return value


def misnamed(value: Any, expected: str = "Object") -> str:
    """What is wrong with the type names in `value`, which are to follow the fields, "" if nothing."""
    match value:
        case dict():
            name = value.get(TYPE)
            if name is not None and name != expected:
                return (
                    f'unexpected type name "{name}", expected "{expected}", '
                    "which matches field name path from root Object type"
                )
            below = [(item, f"{expected}.{field}") for field, item in value.items() if field != TYPE]
        case list():
            below = [(item, expected) for item in value]
        case _:
            return ""
    return next((why for item, path in below if (why := misnamed(item, path))), "")
