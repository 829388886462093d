"""projected: several sources in one directory, among them the pod's service account token.

The token is written readable for the one user all containers run as, if there is one; otherwise for
everyone in the pod, since only its containers see the volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.volumes.base import MountFailure, VolumeContext
from wherry.kubelet.volumes.content import ContentVolume
from wherry.kubelet.volumes.payload import (
    File,
    Payload,
    config_map_payload,
    default_mode,
    downward_payload,
    secret_payload,
)

TOKEN_LIFETIME_S = 3600


class ProjectedVolume(ContentVolume):
    """Several sources, one directory; later sources win."""

    source = "projected"
    directory_name = "kubernetes.io~projected"

    def references(self, source: Mapping[str, Any]) -> set[tuple[str, str]]:
        found = set()
        for part in source.get("sources") or ():
            if part.get("configMap"):
                found.add(("ConfigMap", part["configMap"].get("name") or ""))
            if part.get("secret"):
                found.add(("Secret", part["secret"].get("name") or ""))
        return found

    async def render(self, context: VolumeContext) -> Payload:
        """All sources' files. Raises MountFailure."""
        source = context.volume["projected"]
        mode = default_mode(source)
        payload: Payload = {}
        for part in source.get("sources") or ():
            payload.update(await _part(context, part, mode))
        return payload


async def _part(context: VolumeContext, part: Mapping[str, Any], mode: int) -> Payload:
    if part.get("configMap"):
        source = part["configMap"]
        return config_map_payload(source.get("name") or "", source, context.lookup, mode)
    if part.get("secret"):
        source = part["secret"]
        return secret_payload(source.get("name") or "", source, context.lookup, mode)
    if part.get("downwardAPI"):
        items = part["downwardAPI"].get("items") or ()
        return downward_payload(context.pod, items, mode, context.allocatable)
    if part.get("serviceAccountToken"):
        source = part["serviceAccountToken"]
        lifetime_s = int(source.get("expirationSeconds") or TOKEN_LIFETIME_S)
        token = await context.host.tokens.token(context.pod, source.get("audience") or "", lifetime_s)
        if context.fs_group is not None:
            mode = 0o600
        elif context.run_as_user is not None:
            return {source["path"]: File(token.encode(), 0o600, context.run_as_user)}
        return {source["path"]: File(token.encode(), mode)}
    raise MountFailure(f"projected sources of type {', '.join(part)} are not supported by this node")
