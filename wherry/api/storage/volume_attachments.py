"""VolumeAttachment: a volume attached, or to be attached, to a node."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

VOLUME_ATTACHMENTS = Resource(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.storage.v1.VolumeAttachment",
)
