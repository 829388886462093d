"""`pods/resize`: cpu and memory of containers and of the pod as a whole, never its quality of service.

Rules: pkg/apis/core/validation, ValidatePodResize; KEP-1287 (containers), KEP-5419 (the pod as a whole).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.core.pod_ephemeral import keep_all_but_spec
from wherry.api.core.pod_resources import qos_class
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.api.core.pods import validate_pod
from wherry.api.equality import is_same
from wherry.api.validation import validate_object_meta_update
from wherry.objects.errors import FieldError, forbidden_value, invalid_value
from wherry.objects.meta import Object, annotations_of

_RESIZED = ("cpu", "memory")
_NOTHING: Mapping[str, Any] = {}


def prepare_resize(new: Object, old: Object) -> None:
    """Make `new` the stored `old` with only `new`'s resources and resize policies, in place."""
    spec = dict(old["spec"])
    for field in ("containers", "initContainers"):
        asked = {c.get("name"): c for c in (new.get("spec") or {}).get(field) or ()}
        if old["spec"].get(field):
            spec[field] = [_resized(c, asked.get(c.get("name")) or c) for c in old["spec"][field]]
    if (whole := (new.get("spec") or {}).get("resources")) is None:
        spec.pop("resources", None)
    else:
        spec["resources"] = whole
    keep_all_but_spec(new, old, spec)


def _resized(container: Fields, asked: Fields) -> dict[str, Any]:
    kept = dict(container)
    for field in ("resources", "resizePolicy"):
        if asked.get(field) is None:
            kept.pop(field, None)
        else:
            kept[field] = asked[field]
    return kept


def validate_resize_update(new: Object, old: Object) -> list[FieldError]:
    """What is wrong with a write to `resize`, `new` being the whole pod it results in."""
    errors: Errors = validate_object_meta_update(new, old)
    validate_pod(new, errors)
    return errors or validate_resize(new, old)


def validate_resize(new: Fields, old: Fields) -> list[FieldError]:
    """What resizing the pod `old` to `new` (valid as a pod) may not do."""
    if refusal := _refusal(old):
        return [forbidden_value("", refusal)]
    errors: Errors = []
    after, before = new["spec"], old["spec"]
    quality = (old.get("status") or _NOTHING).get("qosClass") or qos_class(old)
    if quality != qos_class(new):
        detail = "Pod QOS Class may not change as a result of resizing"
        errors.append(invalid_value("spec", quality, detail))
    for field in ("containers", "initContainers"):
        pairs = zip(after.get(field) or (), before.get(field) or (), strict=False)
        for index, (now, then) in enumerate(pairs):
            _validate_kept(now, then, f"spec.{field}[{index}].resources", errors)
    _validate_kept(after, before, "spec.resources", errors)
    if not errors:
        _validate_rest(after, before, errors)
    return errors


def _refusal(old: Fields) -> str:
    if MIRROR in annotations_of(old):
        return "static pods cannot be resized"
    if (old["spec"].get("os") or _NOTHING).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _validate_kept(new: Fields, old: Fields, path: str, errors: Errors) -> None:
    """What a container, or the pod as a whole, asks for may change but not go."""
    after, before = new.get("resources") or _NOTHING, old.get("resources") or _NOTHING
    for field in ("requests", "limits"):
        if (before.get(field) or {}).keys() - (after.get(field) or {}).keys():
            detail = f"resource {field} cannot be removed"
            errors.append(forbidden_value(f"{path}.{field}", detail))


def _validate_rest(new: Fields, old: Fields, errors: Errors) -> None:
    """Everything but cpu and memory must be as it was."""
    kept = dict(new)
    if "resources" in new or "resources" in old:
        kept["resources"] = _with_old_sizes(new, old)
    for field in ("containers", "initContainers"):
        pairs = list(zip(new.get(field) or (), old.get(field) or (), strict=False))
        if pairs and len(pairs) == len(new.get(field) or ()):
            kept[field] = [{**after, "resources": _with_old_sizes(after, before)} for after, before in pairs]
    if not is_same(kept, old):
        errors.append(forbidden_value("spec", "only cpu and memory resources are mutable"))


def _with_old_sizes(new: Fields, old: Fields) -> dict[str, Any]:
    """The new resources with the cpu and memory of the old."""
    after, before = new.get("resources") or _NOTHING, old.get("resources") or _NOTHING
    kept = dict(after)
    for field in ("limits", "requests"):
        amounts, previous = after.get(field) or {}, before.get(field) or {}
        sizes = {name: previous[name] for name in _RESIZED if name in previous}
        kept[field] = {**{n: q for n, q in amounts.items() if n not in _RESIZED}, **sizes}
        if not kept[field]:
            del kept[field]
    return kept
