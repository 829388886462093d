"""ReplicationController: keeps a number of pods, the oldest way."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

REPLICATION_CONTROLLERS = Resource(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    namespaced=True,
    short_names=("rc",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    schema="io.k8s.api.core.v1.ReplicationController",
    storage_key="controllers",
)
