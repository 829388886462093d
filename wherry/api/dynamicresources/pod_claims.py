"""Which ResourceClaims a pod uses, and whose they are.

Source: k8s.io/dynamic-resource-allocation/resourceclaim (Name, IsForPod, IsReservedForPod, CanBeReserved).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.dynamicresources.allocations import RESERVATIONS_LIMIT
from wherry.objects.meta import Object, name_of, namespace_of, owners_of, uid_of

FINALIZER = "resource.kubernetes.io/delete-protection"
"""Keeps a claim while it is allocated (upstream's resourceapi.Finalizer)."""
POD_CLAIM = "resource.kubernetes.io/pod-claim-name"
"""The annotation of a claim made for a pod: the name the pod's spec has for it."""
EXTENDED = "resource.kubernetes.io/extended-resource-claim"
"""The annotation of a claim that stands for the extended resources of a pod."""
NOT_YET = "ResourceClaim not created yet"


@dataclass(frozen=True, slots=True)
class PodClaim:
    """One entry of a pod's `spec.resourceClaims`.

    `claim` is the name of its ResourceClaim, None as long as that is to be made from `template`, "" when none
    is needed. One that is made for the pod alone `is_own`.
    """

    name: str
    claim: str | None
    template: str = ""

    @property
    def is_own(self) -> bool:
        """Whether the claim is made from a template, for this pod."""
        return bool(self.template)


def pod_claims(pod: Mapping[str, Any]) -> Iterator[PodClaim]:
    """The claims a pod names in its spec, with what its status tells of those that are made for it."""
    spec: Mapping[str, Any] = pod.get("spec") or {}
    wanted = spec.get("resourceClaims")
    if not wanted:
        return
    status: Mapping[str, Any] = pod.get("status") or {}
    made = {
        entry.get("name"): entry.get("resourceClaimName") or ""
        for entry in status.get("resourceClaimStatuses") or ()
    }
    for entry in wanted:
        name = entry.get("name") or ""
        if entry.get("resourceClaimName"):
            yield PodClaim(name, entry["resourceClaimName"])
        else:
            yield PodClaim(name, made.get(name), entry.get("resourceClaimTemplateName") or "")


def extended_claim(pod: Mapping[str, Any]) -> str:
    """The name of the claim that stands for the pod's extended resources, "" if there is none."""
    status: Mapping[str, Any] = pod.get("status") or {}
    return (status.get("extendedResourceClaimStatus") or {}).get("resourceClaimName") or ""


def claimed_resources(pod: Mapping[str, Any], container: str) -> set[str]:
    """The extended resources a container has by the pod's claim for them (KEP-5004)."""
    status: Mapping[str, Any] = (pod.get("status") or {}).get("extendedResourceClaimStatus") or {}
    return {
        mapping.get("resourceName") or ""
        for mapping in status.get("requestMappings") or ()
        if mapping.get("containerName") == container
    }


def claim_keys(pod: Object) -> list[str]:
    """Keys (`namespace/name`) of all claims a pod uses that are known by name."""
    names = [one.claim for one in pod_claims(pod) if one.claim]
    if extended := extended_claim(pod):
        names.append(extended)
    return [f"{namespace_of(pod)}/{name}" for name in names]


def owner_trouble(pod: Object, claim: Object) -> str:
    """Why a claim is not the one made for the pod, "" if it is (IsForPod)."""
    where = namespace_of(claim)
    if owning_pod(claim) == (name_of(pod), uid_of(pod)) and namespace_of(pod) == where:
        return ""
    return (
        f"ResourceClaim {where}/{name_of(claim)} was not created for pod "
        f"{namespace_of(pod)}/{name_of(pod)} (pod is not owner)"
    )


def owning_pod(claim: Object) -> tuple[str, str]:
    """(name, uid) of the pod a claim was made for; empty texts if it was made for none."""
    for owner in owners_of(claim):
        if owner.get("controller") and owner.get("apiVersion") == "v1" and owner.get("kind") == "Pod":
            return owner.get("name") or "", owner.get("uid") or ""
    return "", ""


def users_of(claim: Object) -> list[Object]:
    """`status.reservedFor`, empty when absent."""
    return list((claim.get("status") or {}).get("reservedFor") or ())


def is_reserved_for(claim: Object, uid: str) -> bool:
    """Whether the pod of this uid may use the claim."""
    return any(user.get("uid") == uid and _is_pod(user) for user in users_of(claim))


def can_be_reserved(claim: Object) -> bool:
    """Whether one more may use the claim."""
    return len(users_of(claim)) < RESERVATIONS_LIMIT


def is_allocated(claim: Object) -> bool:
    """Whether devices were given to the claim."""
    return (claim.get("status") or {}).get("allocation") is not None


def reservation(pod: Object) -> Object:
    """The entry of `reservedFor` for a pod."""
    return {"resource": "pods", "name": name_of(pod), "uid": uid_of(pod)}


def _is_pod(user: Object) -> bool:
    return not user.get("apiGroup") and user.get("resource") == "pods"


def pod_users(claim: Object) -> list[Object]:
    """Those entries of `reservedFor` that are pods."""
    return [user for user in users_of(claim) if _is_pod(user)]


def is_done(pod: Object) -> bool:
    """Whether no container of the pod runs, or ever will."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    is_deleted = bool((pod.get("metadata") or {}).get("deletionTimestamp"))
    return is_deleted and not (pod.get("spec") or {}).get("nodeName")
