"""ResourceClaim: a request for devices."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

RESOURCE_CLAIMS = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaim",
    plural="resourceclaims",
    namespaced=True,
    subresources=(Subresource("status"),),
    schema="io.k8s.api.resource.v1.ResourceClaim",
)
