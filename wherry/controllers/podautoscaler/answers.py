"""What metrics APIs answer, whoever serves them: read as Go decodes it, with its words for what is wrong.

Source: encoding/json (UnmarshalTypeError), time (ParseError) and staging/src/k8s.io/metrics/pkg/apis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from wherry.objects.go_durations import parse_go_duration
from wherry.objects.meta import Object, parse_time
from wherry.objects.quantity import milli

DEFAULT_WINDOW_S = 60.0
"""What a sample covers that does not say so."""
NEVER = datetime.fromtimestamp(0, UTC)
MOST_WINDOW_S = 2**31
_LAYOUT = "2006-01-02T15:04:05Z07:00"


class Unreadable(ValueError):
    """An answer is not what it should be; the text is the one Go's client would have."""


def objects(value: object, field: str) -> Sequence[Object]:
    """A list of objects. Raises Unreadable."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _mistyped(value, field, "[]v1beta1.Item")
    for item in value:
        if not isinstance(item, dict):
            raise _mistyped(item, field, "v1beta1.Item")
    return value


def inner(item: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """The object in a field, empty without one. Raises Unreadable."""
    value = item.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mistyped(value, field, "object")
    return value


def text(item: Mapping[str, Any], field: str) -> str:
    """The text in a field, "" without one. Raises Unreadable."""
    value = item.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _mistyped(value, field, "string")
    return value


def quantity(value: object, field: str) -> int:
    """A quantity in thousandths, which may be a number, too. Raises Unreadable."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _mistyped(value, field, "resource.Quantity")
    try:
        return milli(value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise Unreadable(str(error)) from error


def name_in(item: Mapping[str, Any], field: str) -> str:
    """The name of the object a field is or refers to. Raises Unreadable."""
    return text(inner(item, field), "name")


def taken(item: Mapping[str, Any]) -> datetime:
    """When it was measured. Raises Unreadable."""
    said = text(item, "timestamp")
    if not said:
        return NEVER
    try:
        return parse_time(said)
    except ValueError as error:
        what = f'parsing time "{said}" as "{_LAYOUT}": cannot parse "{said}" as "2006"'
        raise Unreadable(what) from error


def window_s(item: Mapping[str, Any]) -> float:
    """How long it was measured, in seconds, as metrics.k8s.io says it. Raises Unreadable."""
    said = text(item, "window")
    try:
        return parse_go_duration(said) / 1e9 if said else DEFAULT_WINDOW_S
    except ValueError as error:
        raise Unreadable(str(error)) from error


def window_seconds(item: Mapping[str, Any]) -> float:
    """The same, as custom.metrics.k8s.io says it. Raises Unreadable."""
    value = item.get("windowSeconds")
    if value is None:
        return DEFAULT_WINDOW_S
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MOST_WINDOW_S:
        raise _mistyped(value, "windowSeconds", "int64")
    return float(value) or DEFAULT_WINDOW_S


def _mistyped(value: object, field: str, kind: str) -> Unreadable:
    found = {bool: "bool", str: "string", list: "array", dict: "object", int: "number", float: "number"}
    said = found.get(type(value), "null")
    return Unreadable(f"json: cannot unmarshal {said} into Go struct field .{field} of type {kind}")
