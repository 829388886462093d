"""Every field a kind's schema has, each spoilt in turn: `spoilt_fields`.

A field counts as looked at when a value nobody could mean (a text that is no name, a negative number, nothing
where something is required) is refused where a plain one is not, or the refusal names the field. What is
around it is made as plain as the schema allows.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.api.every_kind.fields import (
    Path,
    fields_of,
    plain_value,
    surroundings,
    with_at,
    without_at,
)
from wherry.api.resource import Resource
from wherry.api.schema import Field, check, definition
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

NO_NAME = "-../ A\n_"
"""A text that is neither a name of any kind, nor a path, an address or one of a few words."""

A_WAY_UP = "a way up"
"""What is said of a path that leaves where it starts."""

_INDEX = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """One field of a kind with a value that is to be refused; `type_field` is `PodSpec.hostname`."""

    resource: Resource
    path: Path
    type_field: str
    what: str
    plain: tuple[Object, ...]
    objects: tuple[Object, ...]
    value: Any

    def is_refused(self) -> bool:
        """Whether the kind's strategy notices, in one of the surroundings."""
        return any(self._is_seen(plain, obj) for plain, obj in zip(self.plain, self.objects, strict=True))

    def _is_seen(self, plain: Object, obj: Object) -> bool:
        found = _errors(self.resource, obj)
        here = ".".join(step for step in self.path if isinstance(step, str))
        before = {(error.field, error.type) for error in _errors(self.resource, plain)}
        for error in found:
            told = _INDEX.sub("", error.field)
            if told == here or told.startswith((f"{here}.", f"{here}[")):
                return True
            if (error.field, error.type) not in before or self._is_about_the_value(error):
                return True
            if error.type == "FieldValueForbidden" and here.startswith(f"{told}."):
                return True  # nothing may be there at all
        return False

    def _is_about_the_value(self, error: FieldError) -> bool:
        """Whether the error is told of what is above, but tells the very value."""
        if self.value is None:
            return False
        told = error.message.partition(": ")[2]
        if told.startswith(json.dumps(self.value)):
            return True
        return error.type == "FieldValueNotSupported" and json.dumps(self.value) in told


def spoilt_fields(resource: Resource, base: Object, closed: frozenset[str]) -> Iterator[Spoilt]:
    """Every field of the kind spoilt, in the kind's legal object `base`; `closed` types are not entered."""
    root = definition(resource.schema)
    for path, type_, field in fields_of(root, (), (), closed):
        name = f"{type_.short_name}.{path[-1] if isinstance(path[-1], str) else path[-2]}"
        around = surroundings(base, path, root)
        plain = tuple(with_at(parent, path, plain_value(field, name)) for parent in around)
        for what, value in _bad_values(field, str(path[-1])):
            spoilt = tuple(with_at(obj, path, value) for obj in plain)
            yield Spoilt(resource, path, name, what, plain, spoilt, value)
        if isinstance(path[-1], str) and path[-1] in type_.required:
            spoilt = tuple(without_at(obj, path) for obj in plain)
            yield Spoilt(resource, path, name, "nothing", plain, spoilt, None)


def _bad_values(field: Field, name: str) -> Iterator[tuple[str, Any]]:
    if field.enum:
        yield "another word", "Nonsense"
        return
    match field.type:
        case "string" if field.format != "byte":
            yield "no name", NO_NAME
            if name.lower().endswith(("path", "pathexpr")):
                yield A_WAY_UP, "a/../../b"
        case "integer" | "number":
            yield "negative", -1
        case "quantity":
            yield "negative", "-1"
        case "object" if field.field("") is not None and field.kind == "map":
            value = plain_value(field.field(""))
            yield "a key that is no name", {NO_NAME: value}


def _errors(resource: Resource, obj: Object) -> list[FieldError]:
    made = copy.deepcopy(obj)
    findings = check(made, definition(resource.schema))
    if findings.errors:
        return [FieldError("FieldValueInvalid", "decoding", text) for text in findings.errors]
    resource.strategy.default(made)
    resource.strategy.prepare(made, None)
    return resource.strategy.validate(made, None)
