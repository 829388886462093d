"""The claims of a StatefulSet's pods: made from templates, owned as the retention policy says.

A claim outlives its pod. Where the policy deletes claims with the set, the set owns them; where it deletes
them when the set shrinks, a pod that has to go owns its claims, and the garbage collector does the rest
(KEP-1847).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.objects.meta import Object, controller_ref, name_of, namespace_of, owners_of, uid_of

FindClaim: TypeAlias = Callable[[str], Object | None]
"""The claim of that name in the set's namespace, None when there is none."""

Reference: TypeAlias = dict[str, Any]


def claim_templates(stateful_set: Object) -> list[Object]:
    """`spec.volumeClaimTemplates`."""
    return stateful_set["spec"].get("volumeClaimTemplates") or []


def claim_names(stateful_set: Object, ordinal: int) -> dict[str, str]:
    """The claims of the pod of that ordinal: by the name of their template."""
    owner = name_of(stateful_set)
    return {
        name_of(template): f"{name_of(template)}-{owner}-{ordinal}"
        for template in claim_templates(stateful_set)
    }


def make_claims(stateful_set: Object, ordinal: int) -> list[Object]:
    """The claims of a wanted pod, as they are to be created."""
    names = claim_names(stateful_set, ordinal)
    return [
        _make_claim(stateful_set, template, names[name_of(template)])
        for template in claim_templates(stateful_set)
    ]


def _make_claim(stateful_set: Object, template: Object, name: str) -> Object:
    claim = copy.deepcopy({key: value for key, value in template.items() if key != "status"})
    selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    meta = claim.setdefault("metadata", {})
    meta |= {"name": name, "namespace": namespace_of(stateful_set)}
    meta["labels"] = {**(meta.get("labels") or {}), **selected}
    if _policy(stateful_set)[0] == "Delete":
        meta["ownerReferences"] = [_set_reference(stateful_set)]
    claim |= {"apiVersion": PERSISTENT_VOLUME_CLAIMS.api_version, "kind": PERSISTENT_VOLUME_CLAIMS.kind}
    return claim


def with_claims(stateful_set: Object, pod_spec: Mapping[str, Any], ordinal: int) -> Object:
    """The pod spec with the set's claims as volumes, in place of volumes of the same names."""
    names = claim_names(stateful_set, ordinal)
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in names.items()]
    others = [volume for volume in pod_spec.get("volumes") or () if volume.get("name") not in names]
    return {**pod_spec, "volumes": volumes + others} if volumes else {**pod_spec}


def has_storage(stateful_set: Object, pod: Object, ordinal: int) -> bool:
    """Whether the pod's volumes are the set's claims."""
    volumes = {volume.get("name"): volume for volume in (pod.get("spec") or {}).get("volumes") or ()}
    return all(
        ((volumes.get(name) or {}).get("persistentVolumeClaim") or {}).get("claimName") == claim
        for name, claim in claim_names(stateful_set, ordinal).items()
    )


def existing_claims(stateful_set: Object, ordinal: int, find: FindClaim) -> list[Object]:
    """Those of a pod's claims that are there."""
    found = (find(name) for name in claim_names(stateful_set, ordinal).values())
    return [claim for claim in found if claim is not None]


def is_stale(stateful_set: Object, name: str, ordinal: int, find: FindClaim) -> bool:
    """Whether a claim of the pod to be created (by that name) still goes with an earlier pod."""
    if _policy(stateful_set)[1] == "Retain":
        return False
    claims = existing_claims(stateful_set, ordinal, find)
    return any(_refers(ref, PODS, name) for claim in claims for ref in owners_of(claim))


def unsettled(
    stateful_set: Object, pod: Object, ordinal: int, is_wanted: bool, find: FindClaim
) -> list[Object]:
    """Those of a pod's claims that are not owned as they ought to be, with the owners they ought to have.

    `is_wanted`: the pod's ordinal is one the set wants. Claims others control are left to them.
    """
    changed: list[Object] = []
    for claim in existing_claims(stateful_set, ordinal, find):
        wanted = _wanted_references(stateful_set, pod, is_wanted, claim)
        if wanted is not None:
            changed.append({**claim, "metadata": {**claim["metadata"], "ownerReferences": wanted}})
    return changed


def _wanted_references(
    stateful_set: Object, pod: Object, is_wanted: bool, claim: Object
) -> list[Reference] | None:
    """The owners the claim ought to have; None when it has them, or is not to be touched."""
    refs = owners_of(claim)
    ours = [ref for ref in refs if _is_ours(ref, stateful_set, pod)]
    if any(ref.get("uid") not in (uid_of(stateful_set), uid_of(pod)) for ref in ours):
        return None  # of an earlier set or pod of this name: the garbage collector decides
    others = [ref for ref in refs if ref not in ours]
    owner = _owner(stateful_set, pod, is_wanted)
    if _policy(stateful_set) != ("Retain", "Retain") and _controlled(others):
        return others if ours else None
    wanted = others if owner is None else [*others, owner]
    has = {ref["uid"] for ref in ours if ref.get("controller")}
    is_settled = len(has) == len(ours) and has == ({owner["uid"]} if owner is not None else set())
    return None if is_settled else wanted


def _owner(stateful_set: Object, pod: Object, is_wanted: bool) -> Reference | None:
    when_deleted, when_scaled = _policy(stateful_set)
    if not is_wanted and when_scaled == "Delete":
        return controller_ref(pod, PODS.api_version, PODS.kind)
    return _set_reference(stateful_set) if when_deleted == "Delete" else None


def _set_reference(stateful_set: Object) -> Reference:
    return controller_ref(stateful_set, STATEFUL_SETS.api_version, STATEFUL_SETS.kind)


def _policy(stateful_set: Object) -> tuple[str, str]:
    """(when the set is deleted, when it shrinks): "Retain" or "Delete"."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return policy.get("whenDeleted") or "Retain", policy.get("whenScaled") or "Retain"


def _is_ours(ref: Reference, stateful_set: Object, pod: Object) -> bool:
    return _refers(ref, STATEFUL_SETS, name_of(stateful_set)) or _refers(ref, PODS, name_of(pod))


def _refers(ref: Reference, kind: Resource, name: str) -> bool:
    return (ref.get("apiVersion"), ref.get("kind"), ref.get("name")) == (kind.api_version, kind.kind, name)


def _controlled(refs: Iterable[Reference]) -> bool:
    return any(ref.get("controller") for ref in refs)
