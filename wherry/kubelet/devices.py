"""Devices of pods with claims: whether a pod may use its claims, and which driver would have to prepare them.

No driver can register with this node yet, so a pod whose claims name devices waits, and is told so, in
upstream's words (pkg/kubelet/cm/dra, PrepareResources): it never runs without what it asks for.
"""

from __future__ import annotations

from wherry.api.dynamicresources.pod_claims import (
    NOT_YET,
    PodClaim,
    extended_claim,
    is_reserved_for,
    owner_trouble,
    pod_claims,
)
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.client.api import Client
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, name_of, namespace_of, uid_of

NOT_PREPARED = "FailedPrepareDynamicResources"
"""The reason of the event."""


async def refuse_devices(pod: Object, client: Client) -> str:
    """Why the pod's devices cannot be prepared, "" if there is nothing to prepare."""
    if not (pod.get("spec") or {}).get("resourceClaims") and not extended_claim(pod):
        return ""
    trouble = await _trouble(pod, client)
    return f"Failed to prepare dynamic resources: prepare dynamic resources: {trouble}" if trouble else ""


async def _trouble(pod: Object, client: Client) -> str:
    extended = extended_claim(pod)
    for wanted in (*pod_claims(pod), *([PodClaim("", extended)] if extended else [])):
        if wanted.claim == "":
            continue
        if wanted.claim is None:
            return f'pod "{key_of(pod)}": {NOT_YET}'
        try:
            claim = await client.get(RESOURCE_CLAIMS, wanted.claim, namespace_of(pod))
        except ApiError as error:
            return f"fetch ResourceClaim {wanted.claim}: {error.message}"
        if wanted.is_own and (trouble := owner_trouble(pod, claim)):
            return trouble
        if not is_reserved_for(claim, uid_of(pod)):
            whose = f"{name_of(pod)} ({uid_of(pod)})"
            return f"pod {whose} is not allowed to use ResourceClaim {name_of(claim)} ({uid_of(claim)})"
        for driver in _drivers(claim):
            return f"DRA driver {driver} is not registered"
    return ""


def _drivers(claim: Object) -> list[str]:
    allocation = (claim.get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or ()
    return sorted({result.get("driver") or "" for result in results})
