"""additionalPrinterColumns: what `kubectl get` shows of a custom resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.columns import NAME
from wherry.api.resource import Column
from wherry.objects.durations import INVALID, age
from wherry.objects.jsonpath import parse_json_path
from wherry.objects.meta import Object, name_of

AGE_DESCRIPTION = (
    "CreationTimestamp is a timestamp representing the server time when this object was created."
)
DEFAULT: tuple[Mapping[str, Any], ...] = (
    {
        "name": "Age",
        "type": "date",
        "description": AGE_DESCRIPTION,
        "jsonPath": ".metadata.creationTimestamp",
    },
)

Reader = Callable[[Object, datetime], Any]


def columns_of(declared: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The Table's columns, the name first; the age alone when none are declared."""
    return (
        NAME,
        *(
            Column(
                column["name"],
                column.get("type") or "string",
                column.get("format") or "",
                column.get("description")
                or f"Custom resource definition column (in JSONPath format): {column.get('jsonPath', '')}",
                int(column.get("priority") or 0),
            )
            for column in declared or DEFAULT
        ),
    )


READ_TOGETHER = 8
"""So many passes through a whole object take no longer than other steps do for its bytes."""


class Cells:
    """Reads the cells of a row off an object."""

    def __init__(self, declared: Sequence[Mapping[str, Any]]) -> None:
        self._readers = [_reader(column) for column in declared or DEFAULT]
        walks = sum(parse_json_path(column.get("jsonPath") or "").walks for column in declared)
        self.factor = 1 + walks // READ_TOGETHER
        """How much longer a row takes than an object of that size is worth."""

    def of(self, obj: Object, now: datetime) -> list[Any]:
        """The row of `obj`."""
        return [name_of(obj), *(reader(obj, now) for reader in self._readers)]


def _reader(column: Mapping[str, Any]) -> Reader:
    path = parse_json_path(column.get("jsonPath") or "")
    kind = column.get("type") or "string"
    return lambda obj, now: cell(path.find(obj), kind, now)


def cell(found: Sequence[Any], kind: str, now: datetime) -> Any:
    """A cell of type `kind` for what a path led to; None for nothing, or for a value of another type."""
    if not found or found[0] is None:
        return None
    value = found[0]
    match kind:
        case "date":
            return _age(value, now)
        case "integer":
            return _whole(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
    return _text(value)


def _whole(value: float) -> int:
    """A number as Go's int64 has it: what is beyond becomes the lowest one."""
    return int(value) if -(2.0**63) <= value < 2.0**63 else -(2**63)


def _age(value: Any, now: datetime) -> Any:
    if not isinstance(value, str):
        return None
    try:
        return age(value, now)
    except ValueError:
        return INVALID


def _text(value: Any) -> str:
    """A value as Go prints it in a path's result: strings bare, the rest as JSON."""
    if isinstance(value, str):
        return value
    import orjson

    return orjson.dumps(value).decode()
