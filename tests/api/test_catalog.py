"""What must hold for every built-in kind."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from wherry.api.catalog import BUILTIN, by_kind
from wherry.api.resource import ALL_VERBS, Resource
from wherry.api.schema import definition
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
STORED = [resource for resource in BUILTIN if "create" in resource.verbs and "get" in resource.verbs]


def name_of(resource: Resource) -> str:
    return f"{resource.plural}.{resource.api_version}"


every = pytest.mark.parametrize("resource", BUILTIN, ids=name_of)
stored = pytest.mark.parametrize("resource", STORED, ids=name_of)


def smallest(resource: Resource) -> Object:
    """An object with nothing but what every object has."""
    meta = {"name": "a.b", "creationTimestamp": "2026-01-01T00:00:00Z", "uid": "u", "resourceVersion": "1"}
    if resource.namespaced:
        meta["namespace"] = "n"
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}


def test_finders() -> None:
    for resource in BUILTIN:
        assert by_kind(resource.api_version, resource.kind) is resource
    assert by_kind("v1", "Nothing") is None


def test_storage_is_shared_only_by_versions_of_one_kind() -> None:
    for key, count in Counter(resource.storage_key for resource in BUILTIN).items():
        sharing = [resource for resource in BUILTIN if resource.storage_key == key]
        assert len({resource.kind for resource in sharing}) == 1
        assert len({resource.storage_version for resource in sharing}) == 1
        assert (
            count == 1
            or sum(resource.storage_version == (resource.group, resource.version) for resource in sharing)
            == 1
        )


def test_storage_keys_are_upstreams() -> None:
    keys = {resource.plural: resource.storage_key for resource in BUILTIN}
    odd = {plural: key for plural, key in keys.items() if plural != key}
    assert odd == {
        "services": "services/specs",
        "endpoints": "services/endpoints",
        "nodes": "minions",
        "replicationcontrollers": "controllers",
        "ingresses": "ingress",
        "customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
        "apiservices": "apiregistration.k8s.io/apiservices",
    }


def test_the_preferred_version_comes_first() -> None:
    versions = [resource.version for resource in BUILTIN if resource.group == "autoscaling"]
    assert versions == ["v2", "v1"]


@every
def test_the_schema_is_the_kinds(resource: Resource) -> None:
    found = definition(resource.schema)
    assert found.short_name == resource.kind
    assert {"apiVersion", "kind"} <= set(found.fields())
    if any(sub.name == "status" for sub in resource.subresources):
        assert "status" in found.fields()


@every
def test_only_what_is_read_is_indexed(resource: Resource) -> None:
    assert resource.indexed <= {*resource.selectable, *resource.also_read}


@every
def test_verbs_and_subresources_are_known(resource: Resource) -> None:
    assert set(resource.verbs) <= set(ALL_VERBS)
    assert len({sub.name for sub in resource.subresources}) == len(resource.subresources)
    for sub in resource.subresources:
        assert set(sub.verbs) <= {"create", "delete", "get", "patch", "update"}


@every
def test_short_names_are_unique(resource: Resource) -> None:
    mine = set(resource.short_names)
    others = [other for other in BUILTIN if other.kind != resource.kind and mine & set(other.short_names)]
    assert others == []


@stored
def test_columns_have_cells(resource: Resource) -> None:
    obj = smallest(resource)
    resource.strategy.default(obj)
    cells = resource.strategy.cells(obj, NOW)
    assert len(cells) == len(resource.columns)
    named = [index for index, column in enumerate(resource.columns) if column.format == "name"]
    assert [cells[index] for index in named] == ["a.b"]
    for column, cell in zip(resource.columns, cells, strict=True):
        if column.name == "Age":
            assert cell == "60s"


@stored
def test_defaulting_twice_changes_nothing(resource: Resource) -> None:
    obj = smallest(resource)
    resource.strategy.default(obj)
    once = repr(obj)
    resource.strategy.default(obj)
    assert repr(obj) == once


@stored
def test_selectable_fields_read_from_anything(resource: Resource) -> None:
    for read in resource.selectable.values():
        assert isinstance(read(smallest(resource)), str)


@stored
def test_every_kind_validates_metadata(resource: Resource) -> None:
    obj = smallest(resource)
    obj["metadata"]["labels"] = {"-": "b"}
    resource.strategy.default(obj)
    resource.strategy.prepare(obj, None)
    fields = [error.field for error in resource.strategy.validate(obj, None)]
    assert "metadata.labels" in fields
    fields = [error.field for error in resource.strategy.validate(obj, obj)]
    assert "metadata.labels" in fields


@stored
def test_an_object_may_stay_what_it_is(resource: Resource) -> None:
    """An update that changes nothing is never refused because something is immutable."""
    obj = smallest(resource)
    resource.strategy.default(obj)
    resource.strategy.prepare(obj, None)
    errors = resource.strategy.validate(obj, obj)
    assert not [error for error in errors if "immutable" in error.message]


@stored
def test_strategies_agree_with_their_resource(resource: Resource) -> None:
    strategy = resource.strategy
    if isinstance(strategy, SchemaStrategy):
        assert strategy.schema == resource.schema
        assert strategy.namespaced == resource.namespaced
        assert strategy.has_status == resource.has_status


@stored
def test_status_is_not_taken_on_create(resource: Resource) -> None:
    if not resource.has_status or resource.kind == "Node":
        return  # a kubelet registers its node with the status it knows
    obj = {**smallest(resource), "spec": {}, "status": {"observedGeneration": 99}}
    resource.strategy.prepare(obj, None)
    assert (obj.get("status") or {}).get("observedGeneration") != 99
