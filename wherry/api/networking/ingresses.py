"""Ingress: HTTP from outside, by host and path, to services."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

INGRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="Ingress",
    plural="ingresses",
    namespaced=True,
    short_names=("ing",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.networking.v1.Ingress",
    storage_key="ingress",
)
