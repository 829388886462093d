"""PersistentVolumeClaim: a request for storage."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

PERSISTENT_VOLUME_CLAIMS = Resource(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    namespaced=True,
    short_names=("pvc",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.core.v1.PersistentVolumeClaim",
)
