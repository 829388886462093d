"""Hold a decoded object against its type, as upstream's decoder would: `check`.

Two passes. The quick one only asks "is everything as it should be?", with a dict look-up per field and
no paths; nearly every object ends there, rid of zeros that say nothing. Otherwise the thorough one
(`decode`) walks the object again, names what is wrong in upstream's words, and puts right what upstream's
decoder would: unknown fields, nulls and such zeros go, quantities and times take their canonical spelling.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from wherry.api.schema.decode import CLEAN, Findings, decode
from wherry.api.schema.definitions import Definition, Field
from wherry.kit.remembered import remembered
from wherry.objects.quantity import canonical_quantity

__all__ = ["Findings", "check"]

_Test = Callable[[Any], bool]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def check(obj: Any, definition: Definition, *, keeps_zeros: bool = False) -> Findings:
    """What upstream's strict decoding finds in `obj`, read as an instance of `definition`.

    The object is changed in place: nulls and unknown fields are removed, quantities and times are
    spelt canonically, and zeros that Go's types cannot tell from nothing go, unless it `keeps_zeros`. An
    object with `errors` is to be refused and may be half changed.
    """
    if type(obj) is dict and _plan(definition, keeps_zeros).fits(obj):
        return CLEAN
    return decode(obj, definition, keeps_zeros=keeps_zeros)


@lru_cache(None)
def _plan(definition: Definition, keeps_zeros: bool) -> _Plan:
    return _Plan(definition, keeps_zeros)


class _Plan:
    """A struct's fields: the exact Python type of each value, a further test, and whether its zero goes."""

    __slots__ = ("_definition", "_fields", "_keeps_zeros")

    def __init__(self, definition: Definition, keeps_zeros: bool) -> None:
        self._definition = definition
        self._keeps_zeros = keeps_zeros
        self._fields: dict[str, tuple[type | None, _Test | None, bool]] | None = None

    def fits(self, obj: dict[str, Any]) -> bool:
        """Whether every field is known and right; zeros that say nothing are taken away."""
        fields = self._fields
        if fields is None:
            fields = self._fields = self._read()
        zeros: list[str] | None = None
        for name, value in obj.items():
            known = fields.get(name)
            if known is None:
                return False
            expected, test, goes = known
            if expected is not None and type(value) is not expected:
                return False
            if goes and not value:
                if zeros is None:
                    zeros = []
                zeros.append(name)
            elif test is not None and not test(value):
                return False
        if zeros is not None:
            for name in zeros:
                del obj[name]
        return True

    def _read(self) -> dict[str, tuple[type | None, _Test | None, bool]]:
        going = frozenset[str]() if self._keeps_zeros else self._definition.omits
        return {
            name: (*_test_of(field, self._keeps_zeros), name in going)
            for name, field in self._definition.fields().items()
        }


def _test_of(field: Field, keeps_zeros: bool) -> tuple[type | None, _Test | None]:
    """The exact type a value of the field has (None: more than one) and what else it must fulfil."""
    target = field.definition
    match field.type:
        case "string":
            return str, _is_base64 if field.format == "byte" else None
        case "boolean":
            return bool, None
        case "integer":
            return int, _is_int64 if field.format == "int64" else _is_int32
        case "number":
            return float, None
        case "quantity":
            return str, _is_canonical_quantity
        case "int-or-string":
            return None, _is_int_or_string
        case "time":
            micro = target is not None and target.short_name == "MicroTime"
            return str, _is_micro_time if micro else _is_time
        case "array":
            return list, _all_items(field, keeps_zeros)
        case "object":
            if target is not None:
                return dict, _plan(target, keeps_zeros).fits
            return dict, _all_values(field, keeps_zeros)
        case _:
            return None, _is_given


def _all_items(field: Field, keeps_zeros: bool) -> _Test | None:
    items = field.items()
    if items is None:
        return None
    expected, test = _test_of(items, keeps_zeros)

    def test_items(values: list[Any]) -> bool:
        for value in values:
            if expected is not None and type(value) is not expected:
                return False
            if test is not None and not test(value):
                return False
        return True

    return test_items


def _all_values(field: Field, keeps_zeros: bool) -> _Test | None:
    values = field.field("")
    if values is None:
        return None
    expected, test = _test_of(values, keeps_zeros)

    def test_values(found: dict[str, Any]) -> bool:
        for value in found.values():
            if expected is not None and type(value) is not expected:
                return False
            if test is not None and not test(value):
                return False
        return True

    return test_values


def _is_given(value: Any) -> bool:
    return value is not None


def _is_int32(value: int) -> bool:
    return -0x80000000 <= value <= 0x7FFFFFFF


def _is_int64(value: int) -> bool:
    return -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF


def _is_int_or_string(value: Any) -> bool:
    return type(value) is str or (type(value) is int and _is_int32(value))


def _is_canonical_quantity(value: str) -> bool:
    try:
        return canonical_quantity(value) == value
    except ValueError:
        return False


def _is_base64(value: str) -> bool:
    try:
        binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        return False
    return True


@remembered(1024)
def _is_time(value: str) -> bool:
    return _TIME.fullmatch(value) is not None and _is_on_the_calendar(value)


def _is_micro_time(value: str) -> bool:
    return _MICRO_TIME.fullmatch(value) is not None and _is_on_the_calendar(value)


def _is_on_the_calendar(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
