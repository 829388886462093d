"""ResourceQuota: how much of what a namespace may use."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

RESOURCE_QUOTAS = Resource(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    namespaced=True,
    short_names=("quota",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.core.v1.ResourceQuota",
)
