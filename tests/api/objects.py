"""Short ways to say an object and to judge it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema import check, definition
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
CREATED = "2026-01-01T00:00:00Z"


def make(resource: Resource, name: str = "a", **parts: Any) -> Object:
    """An object of the kind, created five minutes before `NOW`; `metadata` adds to its metadata."""
    meta = {"name": name, "creationTimestamp": CREATED, "uid": "u", "resourceVersion": "1"}
    if resource.namespaced:
        meta["namespace"] = "n"
    meta.update(parts.pop("metadata", {}))
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **parts}


def read(resource: Resource, obj: Object) -> Object:
    """A private copy of the object as the server's decoder leaves it."""
    made = copy.deepcopy(obj)
    if resource.schema:
        check(made, definition(resource.schema))
    return made


def create(resource: Resource, obj: Object) -> tuple[Object, list[str]]:
    """The object as it would be stored, and what validation says of it."""
    new = read(resource, obj)
    resource.strategy.default(new)
    resource.strategy.prepare(new, None)
    return new, [str(error) for error in resource.strategy.validate(new, None)]


def update(resource: Resource, old: Object, new: Object) -> tuple[Object, list[str]]:
    """`new` as it would replace `old`, and what validation says of it."""
    changed, before = read(resource, new), copy.deepcopy(old)
    resource.strategy.default(changed)
    resource.strategy.prepare(changed, before)
    errors = [str(error) for error in resource.strategy.validate(changed, before)]
    assert before == old, "the stored object was changed"
    return changed, errors


def cells(resource: Resource, obj: Object) -> dict[str, Any]:
    """The row, by the names of its columns."""
    row = resource.strategy.cells(obj, NOW)
    return dict(zip([column.name for column in resource.columns], row, strict=True))
