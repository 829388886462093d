"""What a patch made of an object, held against the object's type; and what an applier sent.

Upstream reports what a patch spoils as one invalid value called "patch" (422), which for an applied
configuration is an error without a reason (500): a field the schema does not declare cannot be owned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from wherry.api.resource import Resource
from wherry.apiserver import ownership, strictness
from wherry.apiserver.body import findings_in, yaml_repeats
from wherry.apiserver.call import Call
from wherry.apiserver.strictness import IGNORE, STRICT, WARN
from wherry.kit.integers import parse_unsigned
from wherry.objects.errors import ApiError, bad_request, invalid, invalid_value
from wherry.objects.managed_fields.fieldsets import path_element
from wherry.objects.managed_fields.merge import check_applied as check_ownable
from wherry.objects.managed_fields.walk import item_key
from wherry.objects.meta import Object
from wherry.objects.patches.failure import PatchFailed
from wherry.objects.shape import Shape

UNTYPED = "failed to create typed patch object"
_STEP = re.compile(r"\[([0-9]{1,9})\]|([^.\[]+)")
_PATH = re.compile(r'unknown field "(.*)"')


def check_patched(
    call: Call, resource: Resource, patched: Object, shown: Callable[[], str], *, is_list: bool
) -> None:
    """Refuse (or warn of) what the type does not have; drops nulls and unknown fields of `patched`.

    `shown` gives the text a refusal shows; `is_list` tells a JSON patch. Raises ApiError (422).
    """
    findings = findings_in(patched, resource)
    if findings.errors:
        raise _spoilt(shown(), findings.errors[0])
    wanted = call.query.get("fieldValidation") or WARN
    if wanted == IGNORE:
        return
    repeats: list[str] = []
    if isinstance(call.body, bytes):
        find = strictness.json_patch_complaints if is_list else strictness.json_repeats
        repeats = find(call.body)
    complaints = strictness.converted_complaints(repeats, findings.unknown)
    if not complaints:
        return
    if wanted != STRICT:
        told = set(call.warnings)
        call.warnings.extend(text for text in complaints if text not in told)
        return
    raise _spoilt(shown(), f"strict decoding error: {', '.join(complaints)}")


def _spoilt(shown: str, why: str) -> ApiError:
    return invalid("", "", "", [invalid_value("patch", shown, why)])


def go_text(value: Any) -> str:
    """A decoded JSON value as Go prints it (`map[a:[1 x true]]`)."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(go_text(item) for item in value)}]"
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def check_applied(call: Call, resource: Resource, applied: Object) -> None:
    """Refuse an applied configuration with fields the type does not have, or with a key twice.

    Raises ApiError (400, 500); without Strict, keys that stand twice are only warned of.
    """
    findings = findings_in(applied, resource, keeps_zeros=True)  # who applies a zero means to own it
    if findings or findings.errors:
        shape = ownership.shape_of(resource)
        problems = [
            f"{_typed_path(text, applied, shape)}: field not declared in schema" for text in findings.unknown
        ]
        raise _untyped(resource, applied, [*findings.errors, *problems])
    try:
        check_ownable(applied, ownership.shape_of(resource))
    except PatchFailed as error:
        raise _untyped(resource, applied, [error.why.removeprefix(UNTYPED + ": ")]) from error
    wanted = call.query.get("fieldValidation") or WARN
    if wanted == IGNORE or not isinstance(call.body, bytes):
        return
    repeats = yaml_repeats(call)
    if repeats and wanted == STRICT:
        problem = f"error converting YAML to JSON: {strictness.yaml_strict_error(repeats)}"
        raise bad_request(f"error strict decoding YAML: {problem}")
    call.warnings.extend(repeats)


def _untyped(resource: Resource, applied: Object, problems: Sequence[str]) -> ApiError:
    meta = applied["metadata"]
    named = "/".join(part for part in (meta.get("namespace"), meta.get("name")) if part)
    text = problems[0] if len(problems) == 1 else "\n  ".join(["errors:", *problems])
    kind = f"{resource.api_version}, Kind={resource.kind}"
    if not resource.group:
        kind = f"/{kind}"
    return ApiError(500, "", f"{UNTYPED} ({named}; {kind}): {text}")


def _typed_path(text: str, applied: Object, shape: Shape | None) -> str:
    """The path of an unknown field as upstream's typed values print it: list items by their keys."""
    found = _PATH.fullmatch(text)
    value: Any = applied
    path = ""
    for index, name in _STEP.findall(found.group(1) if found is not None else text):
        if index:
            at = parse_unsigned(index) or 0
            item = value[at] if isinstance(value, list) and at < len(value) else None
            keyed = shape is not None and shape.list_type in ("map", "set")
            key = item_key(item, shape) if keyed and shape is not None else f"i:{index}"
            path += path_element(key)
            value, shape = item, shape.items() if shape is not None else None
        else:
            path += f".{name}"
            value = value.get(name) if isinstance(value, dict) else None
            shape = shape.field(name) if shape is not None and shape.kind in ("struct", "map") else None
    return path
