"""ResourceClaimTemplate: claims to be made, one for each pod."""

from __future__ import annotations

from wherry.api.resource import Resource

RESOURCE_CLAIM_TEMPLATES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="ResourceClaimTemplate",
    plural="resourceclaimtemplates",
    namespaced=True,
    schema="io.k8s.api.resource.v1.ResourceClaimTemplate",
)
