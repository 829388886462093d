"""configMap: the keys of a ConfigMap as files, following its changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import put_in_place
from wherry.kubelet.volumes.payload import config_map_payload, default_mode


class ConfigMapVolume:
    """A ConfigMap's keys."""

    source = "configMap"
    directory_name = "kubernetes.io~configmap"
    read_only = True

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return {("ConfigMap", source.get("name") or "")}

    async def set_up(self, context: VolumeContext) -> Path:
        """Write the files. Raises MountFailure."""
        source = context.volume["configMap"]
        payload = config_map_payload(source.get("name") or "", source, context.lookup, default_mode(source))
        return await put_in_place(context, payload, in_memory=False)
