"""secret: the keys of a Secret as files in memory, following its changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import ContentVolume
from wherry.kubelet.volumes.payload import Payload, default_mode, secret_payload


class SecretVolume(ContentVolume):
    """A Secret's keys; never on disk."""

    source = "secret"
    directory_name = "kubernetes.io~secret"

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return {("Secret", source.get("secretName") or "")}

    async def render(self, context: VolumeContext) -> Payload:
        """The Secret's files. Raises MountFailure."""
        source = context.volume["secret"]
        return secret_payload(source.get("secretName") or "", source, context.lookup, default_mode(source))
