"""Binding: a pod given to a node, by the scheduler; never stored."""

from __future__ import annotations

from wherry.api.resource import Resource

BINDINGS = Resource(
    group="",
    version="v1",
    kind="Binding",
    plural="bindings",
    namespaced=True,
    verbs=("create",),
    schema="io.k8s.api.core.v1.Binding",
)
