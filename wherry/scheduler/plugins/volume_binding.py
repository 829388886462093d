"""VolumeBinding: a pod whose claims are not bound goes nowhere (upstream's plugin of that name).

Whether a container mounts the volume makes no difference. A claim whose class waits for its first consumer is
bound by whoever provisions it, once the pod has a node; that is not done here, so such a pod waits too.
"""

from __future__ import annotations

from collections.abc import Hashable

from wherry.api.storage.storage_classes import WAIT_FOR_CONSUMER
from wherry.objects.meta import Object, annotations_of, is_deleting, name_of, namespace_of, uid_of
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind, Plugin, Refusal
from wherry.scheduler.world import Storage, World

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
NO_VOLUMES = "node(s) didn't find available persistent volumes to bind"


class VolumeBinding(Plugin):
    """Refuses pods that need volumes which are not there, on whatever node."""

    name = "VolumeBinding"
    changes = frozenset({Kind.CLAIMS})

    def prepare(self, pod: PodFacts, world: World) -> Refusal | None:
        """See `Plugin.prepare`."""
        storage = world.claims
        waits = False
        for name, is_ephemeral in pod.claims:
            claim = storage.claim(f"{namespace_of(pod.pod)}/{name}")
            trouble = _trouble(pod, name, claim, is_ephemeral=is_ephemeral)
            if trouble:
                return Refusal(trouble)
            if claim is None or _is_bound(claim):
                continue
            if not _waits_for_consumer(claim, storage):
                return Refusal(UNBOUND)
            waits = True
        return Refusal(NO_VOLUMES, of_each_node=True) if waits else None

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`: claims may be made for one pod alone."""
        return pod.claims and (pod.uid if any(alone for _, alone in pod.claims) else pod.claims)

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: its claims matter, and classes whatever they are called."""
        namespace = pod.template.namespace
        own = {f"{namespace}/{name}" for name, _ in pod.claims}
        return any(name in own or "/" not in name for name in change.names)


def _trouble(pod: PodFacts, name: str, claim: Object | None, *, is_ephemeral: bool) -> str:
    """Why the claim cannot be used, bound or not."""
    if claim is None:
        if is_ephemeral:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    if (claim.get("status") or {}).get("phase") == "Lost":
        volume = (claim.get("spec") or {}).get("volumeName") or ""
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if is_deleting(claim):
        return f'persistentvolumeclaim "{name}" is being deleted'
    if is_ephemeral and not _is_owned_by(claim, pod):
        where = namespace_of(pod.pod)
        return f"PVC {where}/{name} was not created for pod {where}/{name_of(pod.pod)} (pod is not owner)"
    return ""


def _is_owned_by(claim: Object, pod: PodFacts) -> bool:
    owners = (claim.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("controller") and owner.get("uid") == uid_of(pod.pod) for owner in owners)


def _is_bound(claim: Object) -> bool:
    return bool((claim.get("spec") or {}).get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def _waits_for_consumer(claim: Object, storage: Storage) -> bool:
    name = (claim.get("spec") or {}).get("storageClassName") or ""
    found = storage.storage_class(name) if name else None
    return found is not None and found.get("volumeBindingMode") == WAIT_FOR_CONSUMER
