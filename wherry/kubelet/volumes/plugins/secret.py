"""secret: the keys of a Secret as files in memory, following its changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wherry.kubelet.volumes.base import VolumeContext
from wherry.kubelet.volumes.content import put_in_place
from wherry.kubelet.volumes.payload import default_mode, secret_payload


class SecretVolume:
    """A Secret's keys; never on disk."""

    source = "secret"
    directory_name = "kubernetes.io~secret"
    read_only = True

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        return {("Secret", source.get("secretName") or "")}

    async def set_up(self, context: VolumeContext) -> Path:
        """Write the files. Raises MountFailure."""
        source = context.volume["secret"]
        payload = secret_payload(source.get("secretName") or "", source, context.lookup, default_mode(source))
        return await put_in_place(context, payload, in_memory=True)
