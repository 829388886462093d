"""Changes somebody outside of the server makes to an object: held against its type, defaulted, taken over."""

from __future__ import annotations

import orjson

from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, Attributes, done_beside
from wherry.apiserver.admission.matching.equivalents import converted
from wherry.apiserver.admission.matching.rules import Kind, kind_of
from wherry.apiserver.body import findings_in
from wherry.objects.errors import internal
from wherry.objects.managed_fields.managers import entries_problem
from wherry.objects.meta import Object
from wherry.objects.nesting import MANAGED_DEPTH, MAX_DEPTH, TOO_DEEP, is_too_deep
from wherry.objects.sameness import is_identical

_NOT_YET = ("uid", "creationTimestamp", "generation")
OUTDATED = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated "
    "mutating admission controller; please fix your requests: "
)


def before_storing(attributes: Attributes) -> Object | None:
    """The object as those who may change it see it: a new one has no uid, time or generated name yet."""
    obj = attributes.obj
    if obj is None or attributes.operation != CREATE or attributes.subresource:
        return obj
    hidden = (*_NOT_YET, "name") if attributes.has_generated_name else _NOT_YET
    meta = {name: value for name, value in obj["metadata"].items() if name not in hidden}
    return {**obj, "metadata": meta}


async def take_over(attributes: Attributes, resource: Resource, changed: Object) -> bool:
    """Make `changed`, of the version `resource`, the object to be admitted; whether it differs.

    It may share parts with the object as it was.
    It is read as if a client had sent it (fields nobody knows are dropped) and defaulted; what the server
    set before admission stays. Raises ApiError (500) for what is no object of the kind, or nests too deep.
    """
    before = attributes.obj
    if before is None:
        raise internal("there is no object that could be changed")
    wanted = kind_of(resource, attributes.subresource)
    if (changed.get("apiVersion"), changed.get("kind")) != (wanted.api_version, wanted.kind):
        raise internal(
            f"{changed.get('apiVersion')}, Kind={changed.get('kind')} was expected to be "
            f"{wanted.api_version}, Kind={wanted.kind}"
        )
    if is_too_deep(changed, MAX_DEPTH + MANAGED_DEPTH):
        raise internal(TOO_DEEP)
    data = orjson.dumps(changed)
    if attributes.call is not None:  # what comes after is about so much more
        attributes.call.grown_bytes = max(len(data) - len(attributes.call.encoded), 0)
    # What was left alone is shared with the object it was made of, and both will be changed: a copy.
    changed = await done_beside(attributes, lambda: _read(data, resource, wanted))
    if wanted.kind != resource.kind:  # a Scale, an Eviction, the options of a connection
        differs = not is_identical(changed, before)
        _replace(before, changed)
        return differs
    if not isinstance(changed.get("metadata"), dict):
        changed["metadata"] = {}
    if resource is not attributes.resource:
        changed = await converted(attributes.core.registry, changed, resource, attributes.resource)
    made = changed

    def is_the_same() -> bool:
        _keep(attributes, before["metadata"], made["metadata"])
        attributes.resource.strategy.default(made)
        return is_identical(made, before)

    if await done_beside(attributes, is_the_same):
        return False
    _replace(before, changed)
    attributes.is_changed = True
    return True


def _read(data: bytes, resource: Resource, wanted: Kind) -> Object:
    """The object the bytes tell, held against the type. Raises ApiError (500)."""
    changed: Object = orjson.loads(data)
    findings = findings_in(changed, resource, wanted.api_version, wanted.kind)
    if findings.errors:
        raise internal(findings.errors[0])
    return changed


def _keep(attributes: Attributes, before: Object, after: Object) -> None:
    """Put back into metadata what only the server sets, and ownership that makes no sense any more."""
    for name in ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if name in before:
            after[name] = before[name]
        else:
            after.pop(name, None)
    if attributes.has_generated_name and not after.get("name"):
        after["name"] = before["name"]
    managed = before.get("managedFields")
    if after.get("managedFields") != managed:
        problem = entries_problem(after.get("managedFields"))
        if problem:
            attributes.warn(OUTDATED + problem)
            after.pop("managedFields", None)
            if managed is not None:
                after["managedFields"] = managed


def _replace(obj: Object, other: Object) -> None:
    items = dict(other)
    obj.clear()
    obj.update(items)
