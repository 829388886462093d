"""PersistentVolume: a piece of storage of the cluster."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

PERSISTENT_VOLUMES = Resource(
    group="",
    version="v1",
    kind="PersistentVolume",
    plural="persistentvolumes",
    namespaced=False,
    short_names=("pv",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.core.v1.PersistentVolume",
)
