"""projected: several sources in one directory, among them the pod's service account token.

Tokens, keys and trust anchors are readable for the one user all containers run as, if there is one; otherwise
for everyone in the pod, since only its containers see the volume.
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
        for index, part in enumerate(source.get("sources") or ()):
            payload.update(await _part(context, index, part, mode))
        return payload


async def _part(context: VolumeContext, index: int, part: Mapping[str, Any], mode: int) -> Payload:
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
        return {source["path"]: _private(context, token.encode(), mode)}
    if part.get("clusterTrustBundle"):
        source = part["clusterTrustBundle"]
        anchors = await context.host.trust.anchors(context.pod, source)
        return {source["path"]: _private(context, anchors.encode(), mode)}
    if part.get("podCertificate"):
        return await _certificate(context, index, part["podCertificate"], mode)
    raise MountFailure(f"projected sources of type {', '.join(part)} are not supported by this node")


async def _certificate(context: VolumeContext, index: int, source: Mapping[str, Any], mode: int) -> Payload:
    """Key and certificates, in one file or in two."""
    found = await context.host.certificates.credentials(context.pod, context.name, index, source)
    contents = {
        "credentialBundlePath": found.key + found.chain,
        "keyPath": found.key,
        "certificateChainPath": found.chain,
    }
    return {
        source[name]: _private(context, data, mode) for name, data in contents.items() if source.get(name)
    }


def _private(context: VolumeContext, data: bytes, mode: int) -> File:
    """A file for whoever the pod's containers run as, as far as that is one user or group."""
    if context.fs_group is not None:
        return File(data, 0o600)
    if context.run_as_user is not None:
        return File(data, 0o600, context.run_as_user)
    return File(data, mode)
