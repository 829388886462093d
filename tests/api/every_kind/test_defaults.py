"""Every default: what stands in a field nobody filled, and what becomes of a zero somebody wrote.

`defaults.yaml` tells the values (upstream's SetDefaults_ functions), by type and field. Go's types tell the
rest: a field that is no pointer holds the same zero whether somebody wrote it or not, so it is filled all the
same; behind a pointer a zero is a value like any other, and stays.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import pytest

from tests.api.every_kind.facts import closed_types, walked
from tests.api.every_kind.fields import (
    Path,
    fields_of,
    shown,
    surroundings,
    value_at,
    with_at,
    without_at,
)
from tests.yaml_files import read_yaml
from wherry.api.resource import Resource
from wherry.api.schema import Definition, Field, check, definition
from wherry.objects.meta import Object

DEFAULTS: dict[str, list[Any]] = read_yaml(File(__file__).with_name("defaults.yaml"))
_ZEROS = {"string": "", "integer": 0, "boolean": False, "int-or-string": 0, "quantity": "0"}
_FILLED_FROM_ELSEWHERE = {
    "PersistentVolumeClaim.apiVersion": "written by upstream whatever the template said",
    "PersistentVolumeClaim.kind": "written by upstream whatever the template said",
}


@dataclass(frozen=True, slots=True)
class Default:
    """A field that was filled, in one place; `zero` is what became of a zero there."""

    name: str
    place: str
    value: Any
    zero: Any
    is_pointer: bool


def _defaulted(resource: Resource, obj: Object) -> Object | None:
    made = copy.deepcopy(obj)
    if check(made, definition(resource.schema)).errors:
        return None
    resource.strategy.default(made)
    return made


def _defaults_at(
    resource: Resource, base: Object, path: Path, type_: Definition, field: Field
) -> Iterator[Default]:
    name = f"{type_.short_name}.{path[-1]}"
    holds = path[-1] in type_.omits or path[-1] in type_.has
    zero = _ZEROS.get(field.type, [] if field.kind == "list" else {})
    for around in surroundings(base, path, definition(resource.schema)):
        filled = _defaulted(resource, without_at(around, path))
        if filled is None or (value := value_at(filled, path)) is None:
            continue
        told = _defaulted(resource, with_at(around, path, zero))
        place = f"{resource.api_version} {resource.kind} {shown(path)}"
        yield Default(name, place, value, None if told is None else value_at(told, path), not holds)


@pytest.fixture(scope="module")
def defaults() -> list[Default]:
    found = list[Default]()
    for facts in walked():
        resource = facts.resource
        for path, type_, field in fields_of(definition(resource.schema), (), (), closed_types(resource)):
            is_struct = field.kind == "struct" and path[-1] in (type_.omits | type_.has)
            if isinstance(path[-1], str) and not is_struct:  # a struct that is no pointer is its fields
                found += _defaults_at(resource, facts.object, path, type_, field)
    return found


def test_what_stands_in_a_field_nobody_filled(defaults: list[Default]) -> None:
    found: dict[str, list[Any]] = defaultdict(list)
    for one in defaults:
        if not any(repr(one.value) == repr(known) for known in found[one.name]):
            found[one.name].append(one.value)
    told = {name: sorted(values, key=repr) for name, values in found.items()}
    assert told == {name: sorted(values, key=repr) for name, values in DEFAULTS.items()}


def test_zeros_are_filled_unless_behind_a_pointer(defaults: list[Default]) -> None:
    wrong = [
        one
        for one in defaults
        if one.name not in _FILLED_FROM_ELSEWHERE
        and not (isinstance(one.value, dict) and one.is_pointer)  # an empty struct is filled from its fields
        and (one.zero in ("", 0, False, "0", [])) != (one.is_pointer or not one.value or one.value == "0")
    ]
    assert not wrong
