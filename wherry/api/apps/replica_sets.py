"""ReplicaSet: keeps a number of equal pods."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

REPLICA_SETS = Resource(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    namespaced=True,
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    schema="io.k8s.api.apps.v1.ReplicaSet",
)
