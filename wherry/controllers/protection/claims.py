"""Claims stay while a pod that has a node uses them, be it running or ended; and tell since when none does.

The cache may not know a pod yet that was just bound, so before a claim is let go the API server is asked, for
all claims of the namespace at once (`LivePods`). The condition Unused of bound claims says whether a pod that
has not ended names them, one without a node included (KEP-5541).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.protection.finalizers import awaits_release, finalizers, lacks, write_finalizers
from wherry.controllers.protection.live_pods import LivePods
from wherry.objects.conditions import with_condition
from wherry.objects.meta import (
    Object,
    format_time,
    is_controlled_by,
    is_deleting,
    metadata,
    name_of,
    namespace_of,
)

FINALIZER = "kubernetes.io/pvc-protection"
BY_CLAIM = "claim"
ENDED = ("Succeeded", "Failed")
UNUSED = "Unused"
IN_USE = ("PodUsingPVC", "A pod is currently referencing this PVC")
IDLE = ("NoPodsUsingPVC", "No pods are currently referencing this PVC")


def claims_of(pod: Object) -> list[str]:
    """Keys of the claims the pod's volumes are, those made for it alone included."""
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found.append(f"{namespace_of(pod)}/{volume['persistentVolumeClaim'].get('claimName')}")
        elif volume.get("ephemeral") is not None:
            found.append(f"{namespace_of(pod)}/{name_of(pod)}-{volume.get('name')}")
    return found


def names(pod: Object, claim: Object) -> bool:
    """Whether one of the pod's volumes is the claim."""
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name_of(claim):
            return True
        if _is_own(volume, pod, claim):
            return True
    return False


def _is_own(volume: Object, pod: Object, claim: Object) -> bool:
    """Whether the claim was made for this volume of the pod alone."""
    is_named_so = f"{name_of(pod)}-{volume.get('name')}" == name_of(claim)
    return volume.get("ephemeral") is not None and is_named_so and is_controlled_by(claim, pod)


def uses(pod: Object, claim: Object) -> bool:
    """Whether the claim cannot go because of the pod."""
    if not (pod.get("spec") or {}).get("nodeName"):
        return False
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name_of(claim):
            return True
        if _is_own(volume, pod, claim) and not _is_shut_down(pod):
            return True
    return False


def _is_shut_down(pod: Object) -> bool:
    """Whether the pod only waits for its own finalizers, perhaps for the very claim it owns."""
    return is_deleting(pod) and metadata(pod).get("deletionGracePeriodSeconds") == 0


def has_ended(pod: Object) -> bool:
    """Whether the pod ran to its end."""
    return (pod.get("status") or {}).get("phase") in ENDED


def concerned_claims(_: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """The claims of a pod that is new or gone, has ended or never had a node."""
    pod = new or old or {}
    has_node = bool((pod.get("spec") or {}).get("nodeName"))
    if old is not None and new is not None and has_node and not has_ended(pod) and not _is_shut_down(pod):
        return ()
    return claims_of(pod)


class ClaimProtection(Controller):
    """Takes the finalizer off deleted claims nobody uses, and says which claims nobody uses."""

    name = "persistentvolumeclaim-protection-controller"
    account = "pvc-protection-controller"
    primary = PERSISTENT_VOLUME_CLAIMS
    watches: ClassVar = {PODS: concerned_claims}
    workers: ClassVar = 2

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_CLAIM, claims_of)
        super().__init__(environment)
        self._live = LivePods(self.client, self.clock, self._waiting, claims_of, uses)

    async def sync(self, key: str) -> float | None:
        """Let the claim go, or see to it that it is protected."""
        claim = self.cache.get(PERSISTENT_VOLUME_CLAIMS, key)
        if claim is None:
            return None
        if awaits_release(claim, FINALIZER):
            return await self._let_go(key, claim)
        if lacks(claim, FINALIZER):
            wanted = [*finalizers(claim), FINALIZER]
            await write_finalizers(self, key, PERSISTENT_VOLUME_CLAIMS, claim, wanted)
        elif (claim.get("status") or {}).get("phase") == "Bound" and not is_deleting(claim):
            await self._tell_use(key, claim)
        return None

    async def _tell_use(self, key: str, claim: Object) -> None:
        pods = self.cache.by_index(PODS, BY_CLAIM, key)
        is_named = any(names(pod, claim) and not has_ended(pod) for pod in pods)
        status, now = claim.get("status") or {}, format_time(self.clock.now())
        said = ("False", now, *IN_USE) if is_named else ("True", now, *IDLE)
        conditions = with_condition(status.get("conditions"), UNUSED, *said)
        await self.write_status(claim, {**status, "conditions": conditions})

    async def _let_go(self, key: str, claim: Object) -> float | None:
        """If nobody uses it. Returns in how many seconds it is to be asked again."""
        if any(uses(pod, claim) for pod in self.cache.by_index(PODS, BY_CLAIM, key)):
            return None
        rest_s = self._live.rest_s(claim)
        if rest_s > 0:
            return rest_s
        if await self._live.is_free(claim):
            left = [item for item in finalizers(claim) if item != FINALIZER]
            await write_finalizers(self, key, PERSISTENT_VOLUME_CLAIMS, claim, left)
        return None

    def _waiting(self, namespace: str) -> Iterable[Object]:
        claims = self.cache.list(PERSISTENT_VOLUME_CLAIMS, namespace)
        return (claim for claim in claims if awaits_release(claim, FINALIZER))
