"""Types of expressions, as the checker knows them: `Type`, `assignable`, `joined`.

Source: the CEL language definition, "Gradual type checking"; the texts are those of cel-go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property


class Type:
    """A type: its name, its parameters, and for objects what type each field has."""

    __slots__ = ("__dict__", "field", "is_parameter", "name", "parameters")

    def __init__(
        self,
        name: str,
        parameters: tuple[Type, ...] = (),
        *,
        field: Callable[[str], Type | None] | None = None,
        is_parameter: bool = False,
    ) -> None:
        self.name = name
        self.parameters = parameters
        self.field = field
        self.is_parameter = is_parameter

    @cached_property
    def is_open(self) -> bool:
        """Whether it has parameters still to be found."""
        return self.is_parameter or any(part.is_open for part in self.parameters)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((self.name, self.parameters))

    def __str__(self) -> str:
        name = _SHOWN.get(self.name, self.name)
        if not self.parameters:
            return name
        return f"{name}({', '.join(map(str, self.parameters))})"

    def __repr__(self) -> str:
        return f"Type({self})"


_SHOWN = {
    "null_type": "null",
    "google.protobuf.Timestamp": "timestamp",
    "google.protobuf.Duration": "duration",
}
DYN = Type("dyn")
ERROR = Type("!error!")
BOOL = Type("bool")
INT = Type("int")
UINT = Type("uint")
DOUBLE = Type("double")
STRING = Type("string")
BYTES = Type("bytes")
NULL = Type("null_type")
TIMESTAMP = Type("google.protobuf.Timestamp")
DURATION = Type("google.protobuf.Duration")
TYPE = Type("type", (DYN,))
_NULLABLE = frozenset({"google.protobuf.Timestamp", "google.protobuf.Duration"})


def list_of(item: Type) -> Type:
    """The type of lists of such items."""
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    """The type of such maps."""
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    """The type of optional values."""
    return Type("optional_type", (value,))


def type_of(value: Type) -> Type:
    """The type of types."""
    return Type("type", (value,))


Bindings = dict[str, Type]


def substituted(declared: Type, found: Mapping[str, Type], *, free: bool = False) -> Type:
    """The type with its parameters as found; with `free`, those not found are dyn."""
    if declared.is_parameter:
        known = found.get(declared.name)
        if known is not None:
            return substituted(known, found, free=free)
        return DYN if free else declared
    if not declared.is_open:
        return declared
    return Type(declared.name, tuple(substituted(part, found, free=free) for part in declared.parameters))


def assignable(target: Type, given: Type, found: Bindings) -> bool:
    """Whether a value of type `given` may stand for `target`; parameters are bound in `found`."""
    if target is given:
        return True
    if target.is_parameter and target.name in found:
        return _bound(target, given, found)
    if given.is_parameter and given.name in found:
        return assignable(target, substituted(given, found), found)
    if target.is_parameter:
        if not _occurs(target, given, found):
            found[target.name] = given
        return True
    if given.is_parameter:
        if not _occurs(given, target, found):
            found[given.name] = target
        return True
    if "dyn" in (target.name, given.name) or "!error!" in (target.name, given.name):
        return True
    if given.name == "null_type" and target.name != "null_type":
        return (
            target.field is not None
            or target.name in _NULLABLE
            or "." in target.name
            or target.name == "optional_type"
        )
    if target.name != given.name or len(target.parameters) != len(given.parameters):
        return False
    if target.name == "type":
        return True
    return all(
        assignable(wanted, part, found)
        for wanted, part in zip(target.parameters, given.parameters, strict=True)
    )


def more_general(one: Type, other: Type) -> Type:
    """Of two types that fit each other the one that says less."""
    if "dyn" in (one.name, other.name):
        return DYN
    if one.name != other.name or len(one.parameters) != len(other.parameters) or not one.parameters:
        return one
    pairs = zip(one.parameters, other.parameters, strict=True)
    return Type(one.name, tuple(more_general(mine, yours) for mine, yours in pairs), field=one.field)


def _bound(target: Type, given: Type, found: Bindings) -> bool:
    """A parameter that was bound before: what is given must fit, or be wider."""
    known = substituted(target, found)
    if known.is_parameter and given.is_parameter and known.name == given.name:
        return True
    if known.is_parameter:
        return assignable(known, given, found)
    trial = dict(found)
    if assignable(known, given, trial):
        found.clear()
        found.update(trial)
        if given.name == "dyn":
            found[target.name] = DYN
        return True
    trial = dict(found)
    if assignable(given, known, trial):
        found.clear()
        found.update(trial)
        found[target.name] = given
        return True
    return False


def _occurs(parameter: Type, inside: Type, found: Bindings) -> bool:
    inside = substituted(inside, found)
    if inside.is_parameter:
        return inside.name == parameter.name
    return any(_occurs(parameter, part, found) for part in inside.parameters)


def signature(arguments: list[Type], *, is_member: bool) -> str:
    """The arguments of a call as errors show them: `string.(int)` or `(string, int)`."""
    if is_member:
        return f"{arguments[0]}.({', '.join(map(str, arguments[1:]))})"
    return f"({', '.join(map(str, arguments))})"
