"""Whether a pod may use its claims: what is looked at before any driver is asked.

Source: pkg/kubelet/cm/dra/manager.go (prepareResources, its first pass).
"""

from __future__ import annotations

from collections.abc import Iterator

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


class NotPrepared(Exception):
    """The pod's devices are not prepared, or not given back; the text says why."""


def wanted_claims(pod: Object) -> Iterator[PodClaim]:
    """The claims of a pod, the one for its extended resources with them; none for what needs no claim."""
    extended = extended_claim(pod)
    for wanted in (*pod_claims(pod), *([PodClaim("", extended)] if extended else [])):
        if wanted.claim != "":
            yield wanted


def has_claims(pod: Object) -> bool:
    """Whether the pod has claims at all."""
    return bool((pod.get("spec") or {}).get("resourceClaims") or extended_claim(pod))


async def usable_claims(pod: Object, client: Client) -> list[Object]:
    """The pod's ResourceClaims as the API server has them. Raises NotPrepared when it may not use one."""
    found = []
    for wanted in wanted_claims(pod):
        if wanted.claim is None:
            raise NotPrepared(f'pod "{key_of(pod)}": {NOT_YET}')
        try:
            claim = await client.get(RESOURCE_CLAIMS, wanted.claim, namespace_of(pod))
        except ApiError as error:
            raise NotPrepared(f"fetch ResourceClaim {wanted.claim}: {error.message}") from error
        if wanted.is_own and (trouble := owner_trouble(pod, claim)):
            raise NotPrepared(trouble)
        if not is_reserved_for(claim, uid_of(pod)):
            whose = f"{name_of(pod)} ({uid_of(pod)})"
            raise NotPrepared(
                f"pod {whose} is not allowed to use ResourceClaim {name_of(claim)} ({uid_of(claim)})"
            )
        found.append(claim)
    return found


def drivers_of(claim: Object) -> list[str]:
    """The drivers whose devices the claim was given."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    results = (allocation.get("devices") or {}).get("results") or ()
    return sorted({result.get("driver") or "" for result in results})
