"""The claim that is made for a pod, and what is left of a claim when users go. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.pod_claims import FINALIZER, POD_CLAIM, PodClaim
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.objects.meta import Object, annotations_of, controller_ref, metadata, name_of, namespace_of

LONGEST_BASE = 57
"""So long a generated name may be before the server's five random characters."""


def claim_for(pod: Object, wanted: PodClaim, template: Object) -> Object:
    """The claim `template` (a ResourceClaimTemplate) describes, owned by the pod."""
    spec = template.get("spec") or {}
    meta = spec.get("metadata") or {}
    made: Object = {
        "generateName": generated_name(name_of(pod), wanted.name),
        "namespace": namespace_of(pod),
        "ownerReferences": [controller_ref(pod, PODS.api_version, PODS.kind)],
        "annotations": {**(meta.get("annotations") or {}), POD_CLAIM: wanted.name},
    }
    if meta.get("labels"):
        made["labels"] = dict(meta["labels"])
    return {
        "apiVersion": RESOURCE_CLAIMS.api_version,
        "kind": RESOURCE_CLAIMS.kind,
        "metadata": made,
        "spec": copy.deepcopy(spec.get("spec") or {}),
    }


def generated_name(pod: str, claim: str) -> str:
    """What a claim's name begins with: pod and claim, both made shorter alike if they are too long."""
    base = f"{pod}-{claim}-"
    if len(base) <= LONGEST_BASE:
        return base
    return f"{_share(pod, len(base))}-{_share(claim, len(base))}"


def _share(name: str, whole: int) -> str:
    return name[: len(name) * LONGEST_BASE // whole]


def find_made(claims: Iterable[Object], wanted: PodClaim) -> Object | None:
    """Of the claims a pod owns the one that was made for an entry of its spec."""
    for claim in claims:
        if annotations_of(claim).get(POD_CLAIM) == wanted.name:
            return claim
    return None


def is_protected(claim: Object) -> bool:
    """Whether the claim stays while it is allocated."""
    return FINALIZER in (metadata(claim).get("finalizers") or ())


def unprotected(claim: Object) -> Object:
    """The finalizers of the claim without the one that protects it, as a patch."""
    left = [name for name in metadata(claim).get("finalizers") or () if name != FINALIZER]
    return {"metadata": {"finalizers": left or None}}
