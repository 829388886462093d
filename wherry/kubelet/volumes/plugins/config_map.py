"""configMap: the keys of a ConfigMap as files, following its changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import ContentVolume
from wherry.kubelet.volumes.payload import Payload, config_map_payload, default_mode


class ConfigMapVolume(ContentVolume):
    """A ConfigMap's keys."""

    source = "configMap"
    directory_name = "kubernetes.io~configmap"
    in_memory = False

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return {("ConfigMap", source.get("name") or "")}

    async def render(self, context: VolumeContext) -> Payload:
        """The ConfigMap's files. Raises MountFailure."""
        source = context.volume["configMap"]
        return config_map_payload(source.get("name") or "", source, context.lookup, default_mode(source))
