"""RuntimeClass: a way of running containers."""

from __future__ import annotations

from wherry.api.resource import Resource

RUNTIME_CLASSES = Resource(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    namespaced=False,
    schema="io.k8s.api.node.v1.RuntimeClass",
)
