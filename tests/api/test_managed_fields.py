"""Who owns what of a new object: as upstream's server writes it down for the same one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.yaml_files import read_yaml
from wherry.api.apiextensions.custom_kind import CustomKind
from wherry.api.catalog import BUILTIN
from wherry.api.resource import find_resource
from wherry.api.schema import check, definition
from wherry.objects.managed_fields.walk import added_fields, compare, ownable
from wherry.objects.meta import Object

CASES: dict[str, dict[str, Any]] = read_yaml(Path(__file__).with_name("managed_fields.yaml"))
STATUS = frozenset({"status"})


def created(obj: Object) -> Object:
    """The object as it is when its owners are written down: decoded and defaulted."""
    resource = find_resource(BUILTIN, obj["apiVersion"], obj["kind"])
    assert resource is not None
    made = copy.deepcopy(obj)
    assert not check(made, definition(resource.schema)).errors
    resource.strategy.default(made)
    return made


def shape_of(obj: Object) -> Any:
    resource = find_resource(BUILTIN, obj["apiVersion"], obj["kind"])
    assert resource is not None
    return definition(resource.schema)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_owners_of_a_new_object(case: dict[str, Any]) -> None:
    obj = case["object"]
    assert added_fields(ownable(created(obj), STATUS), shape_of(obj)) == case["fields"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_update_of_everything_owns_as_much(case: dict[str, Any]) -> None:
    """What an empty object of the kind has is the same to an update as to a creation."""
    new, shape = created(case["object"]), shape_of(case["object"])
    empty = {"apiVersion": new["apiVersion"], "kind": new["kind"]}
    assert compare(ownable(empty, STATUS), ownable(new, STATUS), shape).touched == case["fields"]
    assert compare(ownable(new, STATUS), ownable(empty, STATUS), shape).removed == case["fields"]


def test_custom_kinds_have_what_was_written() -> None:
    shape = CustomKind({"type": "object", "properties": {"spec": {"type": "object"}}}).shape
    obj = {"metadata": {"name": "a", "labels": {"a": "b"}}, "spec": {"image": "i", "parts": {"a": 1}}}
    assert added_fields(ownable(obj, STATUS), shape) == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {".": {}, "f:image": {}, "f:parts": {".": {}, "f:a": {}}},
    }


def test_a_zero_that_was_there_has_no_owner() -> None:
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "a"}}
    fields = added_fields(ownable(created({**priority, "value": 0}), STATUS), shape_of(priority))
    assert fields == {"f:preemptionPolicy": {}}
