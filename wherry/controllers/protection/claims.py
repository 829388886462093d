"""Claims stay while a pod that has a node uses them, be it running or ended.

The cache may not know a pod yet that was just bound, so before a claim is let go the API server is
asked for the namespace's pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.protection.finalizers import awaits_release, finalizers, lacks, write_finalizers
from wherry.objects.meta import (
    Object,
    is_controlled_by,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
)

FINALIZER = "kubernetes.io/pvc-protection"
BY_CLAIM = "claim"
ENDED = ("Succeeded", "Failed")


def claims_of(pod: Object) -> list[str]:
    """Keys of the claims the pod's volumes are, those made for it alone included."""
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found.append(f"{namespace_of(pod)}/{volume['persistentVolumeClaim'].get('claimName')}")
        elif volume.get("ephemeral") is not None:
            found.append(f"{namespace_of(pod)}/{name_of(pod)}-{volume.get('name')}")
    return found


def uses(pod: Object, claim: Object) -> bool:
    """Whether the claim cannot go because of the pod."""
    if not (pod.get("spec") or {}).get("nodeName"):
        return False
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name_of(claim):
            return True
        is_own = volume.get("ephemeral") is not None and (
            f"{name_of(pod)}-{volume.get('name')}" == name_of(claim) and is_controlled_by(claim, pod)
        )
        if is_own and not _is_shut_down(pod):
            return True
    return False


def _is_shut_down(pod: Object) -> bool:
    """Whether the pod only waits for its own finalizers, perhaps for the very claim it owns."""
    return is_deleting(pod) and metadata(pod).get("deletionGracePeriodSeconds") == 0


def freed_claims(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The claims of a pod that is gone, has ended or never had a node."""
    pod = new or old or {}
    has_node = bool((pod.get("spec") or {}).get("nodeName"))
    is_running = (pod.get("status") or {}).get("phase") not in ENDED and not _is_shut_down(pod)
    if new is not None and has_node and is_running:
        return ()
    return claims_of(pod)


class ClaimProtection(Controller):
    """Takes the finalizer off deleted claims nobody uses."""

    name = "persistentvolumeclaim-protection-controller"
    account = "pvc-protection-controller"
    primary = PERSISTENT_VOLUME_CLAIMS
    watches: ClassVar = {PODS: freed_claims}
    workers: ClassVar = 2

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_CLAIM, claims_of)
        super().__init__(environment)

    async def sync(self, key: str) -> float | None:
        """Let the claim go, or see to it that it is protected."""
        claim = self.cache.get(PERSISTENT_VOLUME_CLAIMS, key)
        if claim is None:
            return None
        if awaits_release(claim, FINALIZER) and not await self._is_used(key, claim):
            left = [item for item in finalizers(claim) if item != FINALIZER]
            await write_finalizers(self, key, PERSISTENT_VOLUME_CLAIMS, claim, left)
        elif lacks(claim, FINALIZER):
            wanted = [*finalizers(claim), FINALIZER]
            await write_finalizers(self, key, PERSISTENT_VOLUME_CLAIMS, claim, wanted)
        return None

    async def _is_used(self, key: str, claim: Object) -> bool:
        if any(uses(pod, claim) for pod in self.cache.by_index(PODS, BY_CLAIM, key)):
            return True
        live = await self.client.list(PODS, namespace_of(claim))
        return any(uses(pod, claim) for pod in live.items)
