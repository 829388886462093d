"""What a mutation of a policy makes of an object: a configuration merged into it, or a JSON patch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wherry.api.resource import Resource
from wherry.apiserver.admission.expressions.scope import Scope
from wherry.apiserver.ownership import shape_of
from wherry.objects.cel.constructors import TYPE, misnamed, plain
from wherry.objects.managed_fields.merge import check_applied, merge_values
from wherry.objects.meta import Object
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.patches.json_patch import apply_json_patch
from wherry.objects.shape import Shape

_UNTYPED = "failed to create typed patch object: "
_TEST_FAILED = ": test failed"


class MutationFailed(Exception):
    """A mutation cannot be made; says why."""


def mutated(mutation: Mapping[str, Any], scope: Scope, obj: Object, resource: Resource) -> Object:
    """The object after one mutation. Raises MutationFailed, CelError."""
    if mutation.get("patchType") == "JSONPatch":
        expression = (mutation.get("jsonPatch") or {}).get("expression") or ""
        return _patched(scope.evaluate(expression), obj)
    expression = (mutation.get("applyConfiguration") or {}).get("expression") or ""
    return _merged(scope.evaluate(expression), obj, resource)


def _merged(value: Any, obj: Object, resource: Resource) -> Object:
    if not isinstance(value, dict) or TYPE not in value:
        raise MutationFailed(
            f"unsupported return type from ApplyConfiguration expression: {_type_name(value)}"
        )
    if problem := misnamed(value):
        raise MutationFailed(f"type mismatch: {problem}")
    applied: Object = {**plain(value), "apiVersion": obj["apiVersion"], "kind": obj["kind"]}
    shape = shape_of(resource)
    try:
        check_applied(applied, shape)
    except PatchFailed as error:
        why = error.why.removeprefix(_UNTYPED)
        raise MutationFailed(
            f"error applying patch: failed to convert patch object to typed object: {why}"
        ) from error
    atomic = list(atomic_parts(applied, shape))
    if atomic:
        why = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise MutationFailed(f"error applying patch: invalid ApplyConfiguration: {why}")
    return merge_values(obj, applied, shape)


def atomic_parts(value: Any, shape: Shape | None, path: str = "") -> Iterator[str]:
    """Paths of what can only be replaced as a whole, and so cannot be merged into an object."""
    if shape is None:
        return
    if isinstance(value, dict):
        if shape.is_atomic_map:
            yield path
        for name, item in value.items():
            yield from atomic_parts(item, shape.field(name), f"{path}.{name}")
    elif isinstance(value, list) and shape.kind == "list":
        if shape.list_type not in ("map", "set"):
            yield path
        for index, item in enumerate(value):
            yield from atomic_parts(item, shape.items(), f"{path}[{index}]")


def _patched(value: Any, obj: Object) -> Object:
    if not isinstance(value, list):
        raise MutationFailed("type mismatch: JSONPatchType.expression should evaluate to array")
    operations: list[Object] = []
    for item in value:
        if not isinstance(item, dict) or item.get(TYPE) != "JSONPatch":
            raise MutationFailed(
                "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch"
            )
        operation = plain(item)
        if operation.get("op") in ("add", "replace", "test"):
            operation.setdefault("value", None)
        operations.append(operation)
    try:
        return apply_json_patch(obj, operations)
    except PatchFailed as error:
        if error.why.endswith(_TEST_FAILED):
            return obj  # a test that does not hold says that there is nothing to do
        raise MutationFailed(f"JSON Patch: {error.why}") from error


def _type_name(value: Any) -> str:
    match value:
        case dict():
            return "map"
        case list():
            return "list"
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "int"
        case float():
            return "double"
    return "null_type"
