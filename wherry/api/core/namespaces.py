"""Namespace: a scope for names, and the unit of deletion."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

NAMESPACES = Resource(
    group="",
    version="v1",
    kind="Namespace",
    plural="namespaces",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=(
        Subresource("finalize", verbs=("update",)),
        Subresource("status"),
    ),
    schema="io.k8s.api.core.v1.Namespace",
)
