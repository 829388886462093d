"""Endpoints: the addresses behind a service, in the form before EndpointSlice."""

from __future__ import annotations

from wherry.api.resource import Resource

ENDPOINTS = Resource(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    namespaced=True,
    short_names=("ep",),
    schema="io.k8s.api.core.v1.Endpoints",
    storage_key="services/endpoints",
)
