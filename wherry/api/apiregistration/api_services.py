"""APIService: a group version served here or by another server."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

API_SERVICES = Resource(
    group="apiregistration.k8s.io",
    version="v1",
    kind="APIService",
    plural="apiservices",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(Subresource("status"),),
    schema="io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
    storage_key="apiregistration.k8s.io/apiservices",
)
