"""Service: one stable address for pods that come and go."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

SERVICES = Resource(
    group="",
    version="v1",
    kind="Service",
    plural="services",
    namespaced=True,
    short_names=("svc",),
    categories=("all",),
    subresources=(
        Subresource(
            "proxy", verbs=("create", "delete", "get", "patch", "update"), kind="ServiceProxyOptions"
        ),
        Subresource("status"),
    ),
    schema="io.k8s.api.core.v1.Service",
    storage_key="services/specs",
)
