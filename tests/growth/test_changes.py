"""Patches, ownership and custom schemas: lists and maps of n and 4n on both sides of what is put together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.growth.meter import Counted, step_growth
from wherry.api.schema import definition
from wherry.objects.managed_fields import merge_apply, track_update
from wherry.objects.managed_fields.conflicts import Conflict, conflict_message
from wherry.objects.patches import apply_json_patch, apply_merge_patch, apply_strategic_patch
from wherry.objects.structural.defaults import apply_defaults
from wherry.objects.structural.node import Node
from wherry.objects.structural.prune import prune
from wherry.objects.structural.rules import rule_errors
from wherry.objects.structural.values import value_errors
from wherry.objects.structural.wellformed import schema_errors

SMALL = 20
POD = definition("io.k8s.api.core.v1.Pod")
NOW = "2026-01-01T00:00:00Z"


def _names(size: int, start: int = 0) -> list[str]:
    return [Counted(f"name{index}") for index in range(start, start + size)]


def _pod(size: int, start: int = 0, value: str = "a") -> dict[str, Any]:
    """A pod with lists of every kind: keyed by one and by two fields, sets, plain ones; and maps."""
    names = _names(size, start)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "a",
            "labels": {str(name): value for name in names},
            "finalizers": names,
            "ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": n, "uid": n} for n in names],
        },
        "spec": {
            "containers": [
                {
                    "name": "a",
                    "env": [{"name": name, "value": value} for name in names],
                    "ports": [{"containerPort": start + i + 1, "protocol": "TCP"} for i in range(size)],
                    "args": [Counted(value) for _ in names],
                    "volumeMounts": [{"name": name, "mountPath": name} for name in names],
                }
            ],
            "volumes": [{"name": name, "emptyDir": {}} for name in names],
            "tolerations": [{"key": name, "operator": "Exists"} for name in names],
            "imagePullSecrets": [{"name": name} for name in names],
        },
    }


def _deleting(size: int) -> dict[str, Any]:
    names = _names(size)
    return {
        "metadata": {"$deleteFromPrimitiveList/finalizers": names, "labels": dict.fromkeys(map(str, names))},
        "spec": {
            "volumes": [{"name": name, "$patch": "delete"} for name in names],
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [
                {
                    "name": "a",
                    "$setElementOrder/env": [{"name": name} for name in reversed(names)],
                    "env": [{"name": name, "value": "b"} for name in names],
                }
            ],
        },
    }


def _json_patch(size: int, path: str, start: str) -> list[dict[str, Any]]:
    made: dict[str, list[dict[str, Any]]] = {
        "append": [{"op": "add", "path": f"{path}/-", "value": {"name": str(i)}} for i in range(size)],
        "insert": [{"op": "add", "path": f"{path}/0", "value": {"name": str(i)}} for i in range(size)],
        "remove": [{"op": "remove", "path": f"{path}/0"} for _ in range(size)],
        "move": [{"op": "move", "from": f"{path}/0", "path": f"{path}/-"} for _ in range(size)],
        "copy": [{"op": "copy", "from": f"{path}/0", "path": f"{path}/-"} for _ in range(size)],
        "test": [{"op": "test", "path": f"{path}/0/name", "value": "name0"} for _ in range(size)],
    }
    return made[start]


def _apply(live: dict[str, Any] | None, applied: dict[str, Any], manager: str = "me") -> dict[str, Any]:
    made, _ = merge_apply(live, applied, manager, True, POD, "v1", "", NOW)
    return dict(made)


def _tracked(old: dict[str, Any] | None, new: dict[str, Any]) -> object:
    return track_update(old, new, "me", POD, "v1", "", NOW)


def _managed_by_many(size: int) -> dict[str, Any]:
    live: dict[str, Any] | None = None
    for index in range(size):
        meta = {"name": "a", "labels": {f"key{index}": "a"}}
        live = _apply(live, {"apiVersion": "v1", "kind": "Pod", "metadata": meta}, f"manager{index}")
    assert live is not None
    return live


CHANGES: dict[str, tuple[Callable[[Any], object], Callable[[int], Any]]] = {
    "merge patch": (lambda pair: apply_merge_patch(*pair), lambda n: (_pod(n), _pod(n, n // 2, "b"))),
    "strategic patch": (
        lambda pair: apply_strategic_patch(pair[0], pair[1], POD),
        lambda n: (
            _pod(n),
            {"metadata": _pod(n, n // 2, "b")["metadata"], "spec": _pod(n, n // 2, "b")["spec"]},
        ),
    ),
    "strategic deletion and order": (
        lambda pair: apply_strategic_patch(pair[0], pair[1], POD),
        lambda n: (_pod(n), _deleting(n)),
    ),
    "first apply": (lambda pod: _apply(None, pod), _pod),
    "apply over an update": (lambda pair: _apply(*pair), lambda n: (_pod(n), _pod(n, n // 2, "b"))),
    "apply once more": (
        lambda pair: _apply(*pair),
        lambda n: (_apply(None, _pod(n)), _pod(n, n // 2, "b")),
    ),
    "tracked creation": (lambda pod: _tracked(None, pod), _pod),
    "tracked update": (
        lambda pair: _tracked(*pair),
        lambda n: (_apply(None, _pod(n)), _pod(n, n // 2, "b")),
    ),
    "update of what many manage": (
        lambda pair: _tracked(*pair),
        lambda n: (_managed_by_many(n), {**_managed_by_many(n), "spec": _pod(n)["spec"]}),
    ),
    **{
        f"JSON patch {what}": (
            lambda pair: apply_json_patch(*pair),
            lambda n, what=what: (_pod(n), _json_patch(n, "/spec/volumes", what)),  # type: ignore[misc]
        )
        for what in ("append", "insert", "remove", "move", "copy", "test")
    },
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_cost_what_they_weigh(name: str) -> None:
    change, make = CHANGES[name]
    assert not step_growth(change, make, SMALL)


_TEXT = {"type": "string"}
_KEYED = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _TEXT, "value": {**_TEXT, "default": "a"}},
}


def _schema(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}


def _plain(size: int, start: int = 0) -> list[str]:
    """Names of exactly the type decoders make: schemas ask for it."""
    return [f"name{index}" for index in range(start, start + size)]


def _listed(size: int) -> list[dict[str, str]]:
    return [{"name": name} for name in _plain(size)]


SCHEMAS: dict[str, Callable[[int], tuple[dict[str, Any], dict[str, Any]]]] = {
    "set": lambda n: (
        _schema(a={"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT}),
        {"a": _plain(n)},
    ),
    "keyed list": lambda n: (
        _schema(
            a={
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": _KEYED,
            }
        ),
        {"a": _listed(n)},
    ),
    "keyed list with rules": lambda n: (
        _schema(
            a={
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {**_KEYED, "x-kubernetes-validations": [{"rule": "self.name == oldSelf.name"}]},
            }
        ),
        {"a": _listed(n)},
    ),
    "map": lambda n: (
        _schema(a={"type": "object", "additionalProperties": _KEYED}),
        {"a": {f"key{i}": {"name": name} for i, name in enumerate(_plain(n))}},
    ),
    "unknown fields": lambda n: (_schema(), {f"key{i}": {"a": {"b": 1}} for i in range(n)}),
    "required fields": lambda n: (_schema(a={"type": "object", "required": _plain(n)}), {"a": {}}),
    "many properties": lambda n: (
        _schema(**{f"a{i}": {**_TEXT, "default": "a", "minLength": 3} for i in range(n)}),
        {},
    ),
    "values and enum": lambda n: (
        _schema(a={"type": "array", "items": {**_TEXT, "enum": _plain(n)}}),
        {"a": _plain(n, n // 2)},
    ),
    "alternatives": lambda n: (
        _schema(
            a={
                **_KEYED,
                "anyOf": [{"properties": {"name": {"pattern": f"^a{i}$"}}} for i in range(n)],
            }
        ),
        {"a": {"name": "name"}},
    ),
}


def _custom(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema, spec = pair
    node = Node(schema, is_root=True)
    schema_errors(schema, "schema")
    obj = {"apiVersion": "a.b/v1", "kind": "A", "metadata": {"name": "a"}, "spec": spec}
    old = copy.copy(obj)
    prune(obj, node)
    apply_defaults(obj, node)
    value_errors(obj, node)
    if node.has_rules:
        rule_errors(obj, old, node)


@pytest.mark.parametrize("name", SCHEMAS)
def test_custom_objects_cost_what_they_weigh(name: str) -> None:
    assert not step_growth(_custom, SCHEMAS[name], SMALL)


def _conflicts(size: int) -> list[Conflict]:
    """One field of each of many managers."""
    return [Conflict(Counted(f"m{i}"), "Update", "v1", "", f".data.k{i}") for i in range(size)]


def test_conflicts_with_many_managers() -> None:
    assert step_growth(conflict_message, _conflicts, SMALL) == ""
