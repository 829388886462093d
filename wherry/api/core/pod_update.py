"""What may change on a pod that exists: images, deadlines, tolerations added, gates taken away.

Everything else is fixed, because the node already acts on it. Two subresources open one door each:
`ephemeralcontainers` adds containers for debugging, `resize` changes cpu and memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.affinity import REQUIRED
from wherry.api.core.pod_spec.containers import validate_image_spaces
from wherry.api.core.pod_spec.rules import MAX_INT32, Errors, Fields
from wherry.api.core.pod_spec.scheduling import validate_tolerations
from wherry.api.differences import show_differences
from wherry.api.equality import is_same
from wherry.objects.errors import forbidden_value, invalid_value, required
from wherry.objects.names import range_text
from wherry.objects.repeats import frozen

_UPDATABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)
_REFUSED = f"pod updates may not change fields other than {','.join(_UPDATABLE)}\n"
_NOTHING: Mapping[str, Any] = {}


def validate_pod_changes(new: Fields, old: Fields, errors: Errors) -> None:
    """Add what an update of the pod's main resource may not have changed between two `spec`s."""
    for field in ("containers", "initContainers"):
        if not _same_containers(new.get(field) or (), old.get(field) or (), f"spec.{field}", errors):
            return
    if not _validate_deadline(new, old, errors):
        return
    _validate_tolerations(new, old, errors)
    _validate_gates(new, old, errors)
    if new == old:
        return
    kept = _with_updatable(new, old)
    if old.get("schedulingGates"):
        _open_gated(kept, new, old, errors)
    if not is_same(kept, old):
        errors.append(forbidden_value("spec", _REFUSED + show_differences(old, kept)))


def _same_containers(new: Sequence[Fields], old: Sequence[Fields], path: str, errors: Errors) -> bool:
    if len(new) != len(old):
        errors.append(forbidden_value(path, "pod updates may not add or remove containers"))
        return False
    for index, container in enumerate(new):
        if not container.get("image"):
            errors.append(required(f"{path}[{index}].image"))
        validate_image_spaces(container, f"{path}[{index}]", errors)
    return True


def _validate_deadline(new: Fields, old: Fields, errors: Errors) -> bool:
    """The deadline may be set once and then only brought nearer; tells whether to go on."""
    path = "spec.activeDeadlineSeconds"
    after, before = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if after is None:
        if before is not None:
            detail = "must not update from a positive integer to nil value"
            errors.append(invalid_value(path, None, detail))
        return True
    if not 0 <= after <= MAX_INT32:
        errors.append(invalid_value(path, after, range_text(0, MAX_INT32)))
        return False
    if before is not None and before < after:
        errors.append(invalid_value(path, after, "must be less than or equal to previous value"))
        return False
    return True


def _validate_tolerations(new: Fields, old: Fields, errors: Errors) -> None:
    after, before = new.get("tolerations") or (), old.get("tolerations") or ()
    if after == before:  # as in nearly every update; what stands there was found right when it came
        return
    bare = {frozen(_without(toleration, "tolerationSeconds")) for toleration in after}
    if any(frozen(_without(toleration, "tolerationSeconds")) not in bare for toleration in before):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        errors.append(forbidden_value("spec.tolerations", detail))
    else:
        validate_tolerations(after, "spec.tolerations", errors)


def _without(fields: Fields, name: str) -> Fields:
    return {key: value for key, value in fields.items() if key != name and value not in (None, "")}


def _validate_gates(new: Fields, old: Fields, errors: Errors) -> None:
    known = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for index, gate in enumerate(new.get("schedulingGates") or ()):
        name = gate.get("name")
        if name not in known:
            detail = f"only deletion is allowed, but found new scheduling gate '{name}'"
            errors.append(forbidden_value(f"spec.schedulingGates[{index}].name", detail))


def _with_updatable(new: Fields, old: Fields) -> dict[str, Any]:
    """The new spec with every field that may change as it was before."""
    kept = dict(new)
    for field in ("containers", "initContainers"):
        if new.get(field):
            kept[field] = [
                {**after, "image": before.get("image")}
                for after, before in zip(new[field], old[field], strict=True)
            ]
    for field in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        kept[field] = old.get(field)
    before_s = old.get("terminationGracePeriodSeconds")
    if before_s is not None and before_s < 0 and new.get("terminationGracePeriodSeconds") == 1:
        kept["terminationGracePeriodSeconds"] = before_s
    return kept


def _open_gated(kept: dict[str, Any], new: Fields, old: Fields, errors: Errors) -> None:
    """While gates hold a pod back, its choice of nodes may still be narrowed."""
    after, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(after.get(key) != value for key, value in before.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        errors.append(invalid_value("spec.nodeSelector", after, detail))
    kept["nodeSelector"] = old.get("nodeSelector")
    affinity, previous = new.get("affinity") or {}, old.get("affinity") or {}
    if is_same(affinity.get("nodeAffinity"), previous.get("nodeAffinity")):
        return
    _validate_narrowed(affinity.get("nodeAffinity") or {}, previous.get("nodeAffinity") or {}, errors)
    kept["affinity"] = {**affinity, "nodeAffinity": previous.get("nodeAffinity")}


def _validate_narrowed(new: Fields, old: Fields, errors: Errors) -> None:
    path = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    before = (old.get(REQUIRED) or _NOTHING).get("nodeSelectorTerms") or ()
    after = (new.get(REQUIRED) or _NOTHING).get("nodeSelectorTerms") or ()
    if before and len(before) != len(after):
        detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        errors.append(invalid_value(path, after, detail))
        return
    for index, term in enumerate(before):
        if not _only_adds(after[index], term):
            detail = "only additions are allowed (no mutations or deletions)"
            errors.append(invalid_value(f"{path}[{index}]", after[index], detail))


def _only_adds(new: Fields, old: Fields) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(old.get(field) for field in fields):
        return not any(new.get(field) for field in fields)
    for field in fields:
        before, after = list(old.get(field) or ()), list(new.get(field) or ())
        if after[: len(before)] != before:
            return False
    return True


def validate_ephemeral_changes(new: Fields, old: Fields, errors: Errors) -> None:
    """Add what an update of `ephemeralcontainers` did to containers already there, between two `spec`s."""
    path = "spec.ephemeralContainers"
    by_name = {container.get("name"): container for container in new.get("ephemeralContainers") or ()}
    for before in old.get("ephemeralContainers") or ():
        name = before.get("name")
        after = by_name.get(name)
        if after is None:
            detail = f'existing ephemeral containers "{name}" may not be removed\n'
            errors.append(forbidden_value(path, detail))
        elif not is_same(after, before):
            detail = f'existing ephemeral containers "{name}" may not be changed\n'
            errors.append(forbidden_value(path, detail + show_differences(before, after)))
