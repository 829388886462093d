"""downwardAPI: files that tell a pod about itself, following changes of its labels and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import put_in_place
from wherry.kubelet.volumes.payload import default_mode, downward_payload


class DownwardApiVolume:
    """Facts about the pod."""

    source = "downwardAPI"
    directory_name = "kubernetes.io~downward-api"
    read_only = True

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return set()

    async def set_up(self, context: VolumeContext) -> Path:
        """Write the files. Raises MountFailure."""
        source = context.volume["downwardAPI"]
        payload = downward_payload(
            context.pod, source.get("items") or (), default_mode(source), context.allocatable
        )
        return await put_in_place(context, payload, in_memory=True)
