"""Node: a machine pods run on."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

NODES = Resource(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    namespaced=False,
    short_names=("no",),
    subresources=(
        Subresource("proxy", verbs=("create", "delete", "get", "patch", "update"), kind="NodeProxyOptions"),
        Subresource("status"),
    ),
    schema="io.k8s.api.core.v1.Node",
    storage_key="minions",
)
