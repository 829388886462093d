"""No field takes a value of another type, however alike Python finds them (`True == 1 == 1.0`)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.every_kind.facts import Facts, closed_types, walked
from tests.api.every_kind.fields import fields_of, shown, surroundings, with_at
from wherry.api.schema import Field, check, definition

_WRONG: dict[str, tuple[Any, ...]] = {
    "string": (1, True, 0, [], {}),
    "integer": (True, False, 1.0, 0.5, "1", "", []),
    "boolean": (1, 0, "true", "", 1.0),
    "number": (True, "1"),
    "int-or-string": (True, 1.0, []),
    "quantity": (True, [], {}),
    "time": (0, True, ""),
    "array": ({}, "", 0, False),
    "object": ([], "", 0, False),
}


def _wrong_values(field: Field) -> Iterator[Any]:
    yield from _WRONG.get(field.type, ())


@pytest.mark.parametrize("facts", list(walked()), ids=lambda f: f"{f.resource.api_version} {f.resource.kind}")
def test_other_types_are_refused(facts: Facts) -> None:
    schema = definition(facts.resource.schema)
    taken: list[str] = []
    for path, _, field in fields_of(schema, (), (), closed_types(facts.resource)):
        around = next(surroundings(facts.object, path, schema))
        for value in _wrong_values(field):
            obj = with_at(copy.deepcopy(around), path, value)
            if not check(obj, schema).errors:
                taken.append(f"{shown(path)}: {value!r}")
    assert not taken
