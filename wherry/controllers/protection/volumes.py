"""Volumes stay while a claim is bound to them."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.controllers.base import Controller
from wherry.controllers.protection.finalizers import awaits_release, finalizers, lacks, write_finalizers

FINALIZER = "kubernetes.io/pv-protection"


class VolumeProtection(Controller):
    """Takes the finalizer off deleted volumes that are not bound."""

    name = "persistentvolume-protection-controller"
    account = "pv-protection-controller"
    primary = PERSISTENT_VOLUMES
    workers: ClassVar = 1

    async def sync(self, key: str) -> float | None:
        """Let the volume go, or see to it that it is protected."""
        volume = self.cache.get(PERSISTENT_VOLUMES, key)
        if volume is None:
            return None
        is_bound = (volume.get("status") or {}).get("phase") == "Bound"
        if awaits_release(volume, FINALIZER) and not is_bound:
            left = [item for item in finalizers(volume) if item != FINALIZER]
            await write_finalizers(self, key, PERSISTENT_VOLUMES, volume, left)
        elif lacks(volume, FINALIZER):
            await write_finalizers(self, key, PERSISTENT_VOLUMES, volume, [*finalizers(volume), FINALIZER])
        return None
