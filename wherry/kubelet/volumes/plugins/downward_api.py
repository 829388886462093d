"""downwardAPI: files that tell a pod about itself, following changes of its labels and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import ContentVolume
from wherry.kubelet.volumes.payload import Payload, default_mode, downward_payload


class DownwardApiVolume(ContentVolume):
    """Facts about the pod."""

    source = "downwardAPI"
    directory_name = "kubernetes.io~downward-api"

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def render(self, context: VolumeContext) -> Payload:
        """The pod's facts. Raises MountFailure."""
        source = context.volume["downwardAPI"]
        items = source.get("items") or ()
        return downward_payload(context.pod, items, default_mode(source), context.allocatable)
