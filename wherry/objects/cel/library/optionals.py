"""Optional values. Source: cel-spec's optional types."""

from __future__ import annotations

from typing import Any

from wherry.objects.cel.declarations import declare
from wherry.objects.cel.errors import CelError
from wherry.objects.cel.values import NOTHING, Optional


def _value(optional: Optional) -> Any:
    if not optional.is_there:
        raise CelError("optional.none() dereference")
    return optional.value


def _of_non_zero(value: Any) -> Optional:
    is_zero = value is None or value is False or value == 0 or getattr(value, "ns", 1) == 0
    if isinstance(value, (str, bytes, list, dict)):
        is_zero = not value
    return NOTHING if is_zero else Optional(value)


def _unwrapped(items: list[Any]) -> list[Any]:
    return [item.value for item in items if item.is_there]


declare("optional.of", "(A) -> optional_type(A)", Optional)
declare("optional.ofNonZeroValue", "(A) -> optional_type(A)", _of_non_zero)
declare("optional.none", "() -> optional_type(A)", lambda: NOTHING)
declare("optional.unwrap", "(list(optional_type(A))) -> list(A)", _unwrapped)
declare("unwrapOpt", "list(optional_type(A)).() -> list(A)", _unwrapped)
declare("hasValue", "optional_type(A).() -> bool", lambda optional: optional.is_there)
declare("value", "optional_type(A).() -> A", _value)
declare(
    "or",
    "optional_type(A).(optional_type(A)) -> optional_type(A)",
    lambda first, other: first if first.is_there else other,
)
declare("orValue", "optional_type(A).(A) -> A", lambda first, other: first.value if first.is_there else other)
