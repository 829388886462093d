"""`pods/resize`: cpu and memory of containers and of the pod as a whole, never its quality of service.

Rules: pkg/apis/core/validation, ValidatePodResize; pkg/registry/core/pod, podResizeStrategy; KEP-1287
(containers), KEP-5419 (the pod as a whole).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
_KINDS = ("containers", "initContainers")
_NOTHING: Mapping[str, Any] = {}
_ONLY = "only cpu and memory resources are mutable"


def prepare_resize(new: Object, old: Object) -> None:
    """Make `new` the stored `old` with only `new`'s resources and resize policies, in place.

    Containers that came, went, or have other places stay so, for validation to refuse.
    """
    asked = new.get("spec") or {}
    spec = dict(old["spec"])
    if all(len(asked.get(field) or ()) == len(spec.get(field) or ()) for field in _KINDS):
        for field in _KINDS:
            if spec.get(field):
                spec[field] = [_resized(*pair) for pair in zip(spec[field], asked[field], strict=True)]
    else:
        spec |= {field: asked.get(field) or [] for field in _KINDS if field in asked or field in spec}
    if (whole := asked.get("resources")) is None:
        spec.pop("resources", None)
    else:
        spec["resources"] = whole
    keep_all_but_spec(new, old, spec)


def _resized(container: Fields, asked: Fields) -> Fields:
    if container.get("name") != asked.get("name"):
        return asked
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
    status = old.get("status") or _NOTHING
    quality = status.get("qosClass") or qos_class(old)
    if quality != qos_class(new):
        detail = "Pod QOS Class may not change as a result of resizing"
        errors.append(invalid_value("spec", quality, detail))
    if not _is_resizable(status):
        errors.append(forbidden_value("spec", "Pod running on node without support for resize"))
    _validate_whole(after.get("resources"), before.get("resources"), errors)
    if status.get("nodeAllocatableResourceClaimStatuses"):
        detail = "pods with node allocatable resource claims cannot be resized"
        errors.append(forbidden_value("spec", detail))
    places = [error for field in _KINDS for error in _place_errors(after, before, field)]
    if places:
        return [*errors, *places]
    for field in ("initContainers", "containers"):
        for index, (now, then) in enumerate(_pairs(after, before, field)):
            _validate_kept(now, then, f"spec.{field}[{index}].resources", "resource", errors)
    _validate_containers(after, before, errors)
    if not errors and not is_same(_with_old_amounts(after, before), before):
        errors.append(forbidden_value("spec", _ONLY))
    return errors


def _refusal(old: Fields) -> str:
    if MIRROR in annotations_of(old):
        return "static pods cannot be resized"
    if (old["spec"].get("os") or _NOTHING).get("name") == "windows":
        return "windows pods cannot be resized"
    return ""


def _is_resizable(status: Fields) -> bool:
    """Whether the node tells of a running container's resources: those that can resize do."""
    statuses = status.get("containerStatuses") or ()
    running = next((one for one in statuses if (one.get("state") or _NOTHING).get("running")), None)
    return running is None or running.get("resources") is not None


def _validate_whole(new: Fields | None, old: Fields | None, errors: Errors) -> None:
    """What is asked for the pod as a whole may change in cpu and memory, but not go."""
    if not any((one or _NOTHING).get(kind) for one in (new, old) for kind in ("requests", "limits")):
        return
    if new is None:
        errors.append(forbidden_value("spec.resources", "pod-level resources cannot be removed"))
        return
    _validate_kept({"resources": new}, {"resources": old}, "spec.resources", "pod-level resource", errors)
    if not is_same(_with_old_sizes(new, old), old):
        errors.append(forbidden_value("spec", f"{_ONLY} at pod-level"))


def _place_errors(new: Fields, old: Fields, field: str) -> Iterator[FieldError]:
    after, before = new.get(field) or (), old.get(field) or ()
    if len(after) != len(before):
        yield forbidden_value(f"spec.{field}", f"{field} may not be added or removed on resize")
        return
    for index, (now, then) in enumerate(zip(after, before, strict=True)):
        if now.get("name") != then.get("name"):
            at = f"spec.{field}[{index}].name"
            yield forbidden_value(at, f"{field} may not be renamed or reordered on resize")


def _pairs(new: Fields, old: Fields, field: str) -> list[tuple[Fields, Fields]]:
    return list(zip(new.get(field) or (), old.get(field) or (), strict=True))


def _validate_kept(new: Fields, old: Fields, path: str, what: str, errors: Errors) -> None:
    """What a container, or the pod as a whole, asks for may change but not go."""
    after, before = new.get("resources") or _NOTHING, old.get("resources") or _NOTHING
    for field in ("requests", "limits"):
        if (before.get(field) or {}).keys() - (after.get(field) or {}).keys():
            errors.append(forbidden_value(f"{path}.{field}", f"{what} {field} cannot be removed"))


def _validate_containers(new: Fields, old: Fields, errors: Errors) -> None:
    """Everything of a container but cpu and memory must be as it was."""
    for now, then in _pairs(new, old, "containers"):
        if not is_same(_resized_back(now, then), then):
            errors.append(forbidden_value("spec", _ONLY))
    for index, (now, then) in enumerate(_pairs(new, old, "initContainers")):
        at = f"spec.initContainers[{index}]"
        if not is_same(_resized_back(now, then), then):
            detail = "only cpu and memory resources for init or sidecar containers are mutable"
            errors.append(forbidden_value(at, detail))
        restarts = any(p.get("restartPolicy") == "RestartContainer" for p in now.get("resizePolicy") or ())
        if restarts and now.get("restartPolicy") != "Always" and not is_same(now, then):
            detail = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            errors.append(forbidden_value(at, detail))


def _with_old_amounts(new: Fields, old: Fields) -> Fields:
    """The new spec with the cpu and memory of the old."""
    kept = dict(new)
    for field in _KINDS:
        if new.get(field):
            kept[field] = [_resized_back(*pair) for pair in _pairs(new, old, field)]
    if "resources" in new or "resources" in old:
        kept["resources"] = _with_old_sizes(new.get("resources"), old.get("resources"))
    return kept


def _resized_back(new: Fields, old: Fields) -> Fields:
    return {**new, "resources": _with_old_sizes(new.get("resources"), old.get("resources"))}


def _with_old_sizes(new: Fields | None, old: Fields | None) -> Fields | None:
    """The new resources with the cpu and memory of the old; where both say nothing, as the old say it."""
    after, before = new or _NOTHING, old or _NOTHING
    kept = dict(after)
    for field in ("limits", "requests"):
        amounts, previous = after.get(field) or {}, before.get(field) or {}
        sizes = {name: previous[name] for name in _RESIZED if name in previous}
        kept[field] = {**{n: q for n, q in amounts.items() if n not in _RESIZED}, **sizes}
        if not kept[field]:
            del kept[field]
    return kept or (None if old else old)
