"""The way of an object from a request to a verdict: decode, default, prepare, validate, and a 422."""

from __future__ import annotations

import copy
from typing import Any

from wherry.api.resource import Resource
from wherry.api.schema import check, definition
from wherry.objects.errors import ApiError, FieldError, invalid
from wherry.objects.meta import Object, name_of

CREATED = "2026-01-01T00:00:00Z"
_SERVERS = {
    "uid": "c0ffee00-0000-4000-8000-000000000000",
    "creationTimestamp": CREATED,
    "resourceVersion": "1",
}


def decoded(resource: Resource, obj: Object) -> Object:
    """The object as the server reads it; the schema must find nothing wrong with it."""
    made = copy.deepcopy(obj)
    if resource.schema:
        findings = check(made, definition(resource.schema))
        assert not findings.errors, findings.errors
        assert not findings.unknown, findings.unknown
    made["metadata"] = {**_SERVERS, **made["metadata"]}
    return made


def created(resource: Resource, obj: Object) -> Object:
    """The object as it would be stored. Raises ApiError for one that is refused."""
    new = decoded(resource, obj)
    resource.strategy.default(new)
    resource.strategy.prepare(new, None)
    _refuse(resource, new, resource.strategy.validate(new, None))
    return new


def updated(resource: Resource, old: Object, new: Object) -> Object:
    """The object as it would replace the stored `old`. Raises ApiError for one that is refused."""
    made, before = decoded(resource, new), copy.deepcopy(old)
    resource.strategy.default(made)
    resource.strategy.prepare(made, before)
    _refuse(resource, made, resource.strategy.validate(made, before))
    return made


def _refuse(resource: Resource, obj: Object, errors: list[FieldError]) -> None:
    if errors:
        raise invalid(resource.kind, resource.group, name_of(obj), errors)


def causes(error: ApiError) -> list[str]:
    """What a client reads of a refusal, `field: message` each."""
    assert error.code == 422
    found: list[dict[str, Any]] = error.details["causes"]
    return [f"{cause['field']}: {cause['message']}" for cause in found]
