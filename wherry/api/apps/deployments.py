"""Deployment: pods replaced step by step when their template changes."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

DEPLOYMENTS = Resource(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    namespaced=True,
    short_names=("deploy",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    schema="io.k8s.api.apps.v1.Deployment",
)
