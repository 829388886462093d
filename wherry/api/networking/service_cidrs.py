"""ServiceCIDR: a range services get their addresses from."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="ServiceCIDR",
    plural="servicecidrs",
    namespaced=False,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.networking.v1.ServiceCIDR",
)
