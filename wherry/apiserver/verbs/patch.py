"""PATCH: JSON patch, merge patch, strategic merge patch, and server-side apply.

A patch that does not name a resourceVersion is applied again when somebody else wrote in between;
an apply of something that is not there creates it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from wherry.api.resource import Resource
from wherry.apiserver import ownership
from wherry.apiserver.beside import beside
from wherry.apiserver.body import NotAnObject, body_of, findings_in, media_type, private_copy
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import check_write_options
from wherry.apiserver.registry import Served
from wherry.apiserver.rewrite import ATTEMPTS
from wherry.apiserver.verbs.patched import check_applied, check_patched, go_text
from wherry.apiserver.verbs.update import check_name
from wherry.apiserver.verbs.write import (
    Rules,
    create_object,
    is_gone,
    is_taken,
    main_resets,
    main_rules,
    set_namespace,
    update_object,
)
from wherry.objects.errors import (
    ApiError,
    FieldError,
    bad_request,
    conflict,
    forbidden_value,
    required,
    unsupported_media_type,
)
from wherry.objects.meta import Object
from wherry.objects.nesting import MANAGED_DEPTH, MAX_DEPTH, TOO_DEEP, is_too_deep

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TAKEN = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
TAKEN_BY_CUSTOM = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)


async def patch(core: Core, call: Call, served: Served) -> Outcome:
    """Patch the object itself; 200, or 201 for an apply that created it. Raises ApiError."""
    return await patch_with(core, call, served, main_rules(served.resource))


async def patch_with(core: Core, call: Call, served: Served, rules: Rules) -> Outcome:
    """Patch under `rules` (main, status ...). Raises ApiError."""
    kind = media_type(call.content_type)
    if kind not in taken_by(served.resource):
        raise unsupported_media_type(taken_by(served.resource))
    check_write_options(call.query, "PatchOptions", force_errors(call, kind))
    if kind == APPLY_PATCH:
        return await _apply(core, call, served, rules)
    # Read at once: what is wrong with the patch is said before what is not there.
    first: list[Callable[[Object], Object]] = [patcher(call, served.resource)]

    def produce(live: Object) -> Object:
        # The result may hold parts of the patch, which storing it changes: a second try reads it anew.
        change = first.pop() if first else patcher(call, served.resource)
        patched = change(live)
        _check_patched(call, served.resource, patched, live, kind)
        return patched

    return await update_object(core, call, served, produce, rules)


def taken_by(resource: Resource) -> tuple[str, ...]:
    """The kinds of patches a resource takes."""
    return TAKEN if resource.custom is None else TAKEN_BY_CUSTOM


def patcher(call: Call, resource: Resource, *, is_own_kind: bool = True) -> Callable[[Object], Object]:
    """The call's patch as a function of the object, which it leaves alone. Raises ApiError (400, 415).

    `is_own_kind` is False when what is patched is another kind, such as the Scale of a Deployment:
    then nothing is known of its structure, and strategic patches merge like merge patches.
    """
    kind = media_type(call.content_type)
    if kind not in TAKEN or (kind == APPLY_PATCH and not is_own_kind):
        raise unsupported_media_type(TAKEN)
    body = _read_patch(call)
    if kind == JSON_PATCH:
        from wherry.objects.patches.json_patch import apply_json_patch

        return lambda live: apply_json_patch(live, body)
    if not isinstance(body, dict):
        raise bad_request("the patch must be an object")
    knows = is_own_kind and resource.custom is None
    shape = ownership.shape_of(resource) if knows and kind == STRATEGIC_PATCH else None
    if shape is not None:
        from wherry.objects.patches.strategic import apply_strategic_patch

        return lambda live: apply_strategic_patch(live, body, shape)
    if kind == STRATEGIC_PATCH and is_own_kind:
        raise unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY_PATCH))
    from wherry.objects.patches.merge_patch import apply_merge_patch

    return lambda live: apply_merge_patch(live, body)


def _read_patch(call: Call) -> Any:
    if not isinstance(call.body, bytes):
        return orjson.loads(call.encoded)
    try:
        return body_of(call)
    except NotAnObject as error:
        raise bad_request(str(error)) from error


def force_errors(call: Call, kind: str) -> list[FieldError]:
    """What is wrong with the options of an apply: it names its manager, and it alone may be forced."""
    errors: list[FieldError] = []
    if kind == APPLY_PATCH:
        if not call.query.get("fieldManager"):
            errors.append(required("fieldManager", "is required for apply patch"))
    elif "force" in call.query:
        errors.append(forbidden_value("force", "may not be specified for non-apply patch"))
    return errors


def _check_patched(call: Call, resource: Resource, patched: Object, live: Object, kind: str) -> None:
    """A patch may not turn an object into something else. Raises ApiError (400, 422)."""
    if patched.get("kind") != resource.kind or patched.get("apiVersion") != resource.api_version:
        raise bad_request(
            f"the patch changes the object's type to {patched.get('apiVersion')}, {patched.get('kind')}"
        )
    if not isinstance(patched.get("metadata"), dict):
        raise bad_request("the patch removes the object's metadata")
    # What a merge makes is no deeper than the object and the patch were; a copy can be put below anything.
    if kind == JSON_PATCH and is_too_deep(patched, MAX_DEPTH + MANAGED_DEPTH):
        raise bad_request(f"the patch makes the object too deep: {TOO_DEEP}")

    def shown() -> str:
        """Upstream shows a strategic patch itself, of others what came of them."""
        if kind == STRATEGIC_PATCH:
            return go_text(_read_patch(call))
        made = patcher(call, resource)(live)  # anew: checking took fields away
        return orjson.dumps(made, option=orjson.OPT_SORT_KEYS).decode()

    check_patched(call, resource, patched, shown, is_list=kind == JSON_PATCH)
    set_namespace(call, resource, patched)
    check_name(patched, call.info.name)


async def _apply(core: Core, call: Call, served: Served, rules: Rules) -> Outcome:
    """Create or update, whichever it is in the end: others may create or delete the object meanwhile."""
    resource, info = served.resource, call.info
    applied = await beside(core, call, lambda: read_applied(call, resource))
    for _ in range(ATTEMPTS):
        is_there = served.get(info.namespace, info.name) is not None
        try:
            if is_there or info.subresource:
                return await _apply_over(core, call, served, applied, rules)
            return await _apply_anew(core, call, served, applied)
        except ApiError as error:
            await served.source.open()  # what came between may still be on its way here
            has_appeared = not is_there and is_taken(error, served, info)
            has_gone = is_there and not info.subresource and is_gone(error, served, info)
            if not has_appeared and not has_gone:
                raise
    raise conflict(resource.plural, resource.group, info.name)


async def _apply_anew(core: Core, call: Call, served: Served, applied: Object) -> Outcome:
    resource = served.resource
    uid = applied["metadata"].get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise conflict(resource.plural, resource.group, call.info.name, why)
    resets = main_resets(resource)
    merged = await beside(
        core,
        call,
        lambda: _decoded(resource, ownership.apply(core, call, resource, None, applied, resets)),
    )
    return await create_object(core, call, served, merged, tracks_owners=False)


async def _apply_over(core: Core, call: Call, served: Served, applied: Object, rules: Rules) -> Outcome:
    def produce(live: Object) -> Object:
        merged = ownership.apply(core, call, served.resource, live, applied, rules.resets)
        merged = _decoded(served.resource, merged)
        if not applied["metadata"].get("resourceVersion"):
            merged["metadata"].pop("resourceVersion", None)
        return merged

    return await update_object(core, call, served, produce, replace(rules, tracks_owners=False))


def _decoded(resource: Resource, merged: Object) -> Object:
    """A private copy of what an apply made, as the kind's types hold it: without zeros that say nothing."""
    copied: Object = private_copy(merged)
    if resource.custom is None:
        findings_in(copied, resource)
    return copied


def read_applied(call: Call, resource: Resource) -> Object:
    """The applied configuration, which must be an object of `resource`. Raises ApiError (400)."""
    applied: Object = _read_patch(call)
    if not isinstance(applied, dict):
        raise bad_request("error decoding YAML: an object is required")
    if applied.get("apiVersion") != resource.api_version or applied.get("kind") != resource.kind:
        raise bad_request(
            "Incorrect version specified in apply patch. Specified patch version: "
            f"{applied.get('apiVersion', '')}, expected: {resource.api_version}"
            if applied.get("kind") == resource.kind
            else f"the applied object is a {applied.get('kind')}, expected a {resource.kind}"
        )
    meta = applied.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise bad_request("metadata must be an object")
    if meta.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    meta.setdefault("name", call.info.name)
    set_namespace(call, resource, applied)
    check_name(applied, call.info.name)
    check_applied(call, resource, applied)
    return applied
