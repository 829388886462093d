"""Read an object as upstream's JSON decoder would, naming everything that is wrong: `decode`.

The thorough half of `check`, entered only when something is unusual. Unknown fields are named with
indices (`spec.containers[0].foo`), type errors in Go's words, without indices and with the innermost
struct in front (`Container.spec.containers.image`), because clients match on these texts.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from wherry.api.schema.definitions import Definition, Field
from wherry.objects.errors import MOST_COMPLAINTS
from wherry.objects.go_times import parse_go_time
from wherry.objects.meta import format_micro_time, format_time
from wherry.objects.quantity import FORMAT_WRONG, canonical_quantity

_INTEGERS = {"int32": 31, "int64": 63}


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: texts of `unknown` fields (`unknown field "spec.foo"`) and of decode `errors`.

    Of many unknown fields only the first `MOST_COMPLAINTS` are told.
    Upstream reports only the first of the errors; an object that has any is refused whatever the field
    validation directive says.
    """

    unknown: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unknown or self.errors)


CLEAN = Findings()


def decode(obj: Any, definition: Definition, *, keeps_zeros: bool = False) -> Findings:
    """What is wrong with `obj` as an instance of `definition`; changes it in place as `check` says."""
    walk = _Walk(keeps_zeros)
    if isinstance(obj, dict):
        walk.struct(obj, definition, "", "")
    else:
        walk.errors.append(
            f"json: cannot unmarshal {_go_value(obj)} into Go value of type {_go_type(definition)}"
        )
    if not walk.unknown and not walk.errors:
        return CLEAN
    return Findings(tuple(f'unknown field "{path}"' for path in walk.unknown), tuple(walk.errors))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value stands: `path` with indices, `go_path` without, in which Go `struct`."""

    path: str
    go_path: str
    struct: str

    def at(self, suffix: str) -> _Place:
        return _Place(f"{self.path}{suffix}", self.go_path, self.struct)


class _Walk:
    """One walk over one object, gathering what is found."""

    def __init__(self, keeps_zeros: bool) -> None:
        self.keeps_zeros = keeps_zeros
        self.unknown: list[str] = []
        self.errors: list[str] = []

    def struct(self, obj: dict[str, Any], definition: Definition, path: str, go_path: str) -> None:
        """The fields of a struct, in the object's own order."""
        for name in list(obj):
            field = definition.field(name)
            if field is None:
                if len(self.unknown) < MOST_COMPLAINTS:
                    self.unknown.append(f"{path}.{name}" if path else name)
                del obj[name]
            elif obj[name] is None:
                del obj[name]
            else:
                here = f"{path}.{name}" if path else name
                go_here = f"{go_path}.{name}" if go_path else name
                place = _Place(here, go_here, definition.short_name)
                obj[name] = value = self.value(obj[name], field, place)
                if not value and name in definition.omits and not self.keeps_zeros:
                    del obj[name]

    def value(self, value: Any, field: Field, place: _Place) -> Any:
        """The value as it is to be kept."""
        match field.type:
            case "any":
                return value
            case "quantity":
                return self.quantity(value)
            case "time":
                return self.time(value, field)
            case "int-or-string":
                return self.int_or_string(value)
            case "array" | "object":
                return self.container(value, field, place)
            case _:
                return self.scalar(value, field, place)

    def container(self, value: Any, field: Field, place: _Place) -> Any:
        target, items, values = field.definition, field.items(), field.field("")
        if target is not None and isinstance(value, dict):
            self.struct(value, target, place.path, place.go_path)
        elif items is not None and isinstance(value, list):
            for index, item in enumerate(value):
                if item is None:
                    value[index] = _zero(items)
                else:
                    value[index] = self.value(item, items, place.at(f"[{index}]"))
        elif target is None and values is not None and isinstance(value, dict):
            for key, item in value.items():
                value[key] = _zero(values) if item is None else self.value(item, values, place.at(f".{key}"))
        else:
            self.mismatch(value, field, place)
        return value

    def scalar(self, value: Any, field: Field, place: _Place) -> Any:
        wanted = field.type
        if wanted == "string" and isinstance(value, str):
            return self.base64(value) if field.format == "byte" else value
        if wanted == "boolean" and isinstance(value, bool):
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.mismatch(value, field, place)
            return value
        if wanted == "number":
            return value
        bits = _INTEGERS.get(field.format, 31)
        if wanted == "integer" and isinstance(value, int) and -(1 << bits) <= value < 1 << bits:
            return value
        shown = f"number {value}" if wanted == "integer" else "number"
        self.mismatch(value, field, place, shown)
        return value

    def mismatch(self, value: Any, field: Field, place: _Place, shown: str = "") -> None:
        self.errors.append(
            f"json: cannot unmarshal {shown or _go_value(value)} into Go struct field "
            f"{place.struct}.{place.go_path} of type {_go_type(field)}"
        )

    def quantity(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            self.errors.append(FORMAT_WRONG)
            return value
        try:
            return canonical_quantity(value.strip() if isinstance(value, str) else value)
        except ValueError as error:
            self.errors.append(str(error))
            return value

    def int_or_string(self, value: Any) -> Any:
        if isinstance(value, str) or (
            isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31
        ):
            return value
        shown = f"number {value}" if type(value) in (int, float) else _go_value(value)
        self.errors.append(f"json: cannot unmarshal {shown} into Go value of type int32")
        return value

    def time(self, value: Any, field: Field) -> Any:
        target = field.definition
        micro = target is not None and target.short_name == "MicroTime"
        if not isinstance(value, str):
            self.errors.append(f"json: cannot unmarshal {_go_value(value)} into Go value of type string")
            return value
        try:
            moment = parse_go_time(value, is_micro=micro)
        except ValueError as error:
            self.errors.append(str(error))
            return value
        return format_micro_time(moment) if micro else format_time(moment)

    def base64(self, value: str) -> str:
        text = value.replace("\r", "").replace("\n", "")
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            self.errors.append(f"illegal base64 data at input byte {_first_bad_byte(value)}")
            return value
        return base64.b64encode(data).decode()


def _first_bad_byte(value: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/\r\n]", value)
    return found.start() if found is not None else len(value)


def _zero(field: Field) -> Any:
    """What Go makes of null where there is no field to leave out: in lists and maps."""
    match field.type:
        case "string":
            return ""
        case "boolean":
            return False
        case "integer" | "number" | "int-or-string":
            return 0
        case "quantity":
            return "0"
        case "object":
            return {}
        case _:
            return None


def _go_value(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "null"


def _go_type(shape: Field | Definition) -> str:
    """What Go calls the type, as far as the schema lets us know."""
    target = shape if isinstance(shape, Definition) else shape.definition
    if target is not None:
        package = target.name.rpartition(".")[0].rpartition(".")[2]
        return f"{package}.{target.short_name}"
    if not isinstance(shape, Field):
        return "interface {}"
    match shape.type:
        case "string":
            return "[]uint8" if shape.format == "byte" else "string"
        case "boolean":
            return "bool"
        case "integer":
            return shape.format or "int32"
        case "number":
            return "float64"
        case "array" if (items := shape.items()) is not None:
            return f"[]{_go_type(items)}"
        case "object" if (values := shape.field("")) is not None:
            return "v1.ResourceList" if values.type == "quantity" else f"map[string]{_go_type(values)}"
        case _:
            return "interface {}"
