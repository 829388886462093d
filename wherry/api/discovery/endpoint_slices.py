"""EndpointSlice: some of the addresses behind a service."""

from __future__ import annotations

from wherry.api.resource import Resource

ENDPOINT_SLICES = Resource(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    namespaced=True,
    schema="io.k8s.api.discovery.v1.EndpointSlice",
)
