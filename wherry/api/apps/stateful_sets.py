"""StatefulSet: pods with an identity and storage of their own."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

STATEFUL_SETS = Resource(
    group="apps",
    version="v1",
    kind="StatefulSet",
    plural="statefulsets",
    namespaced=True,
    short_names=("sts",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    schema="io.k8s.api.apps.v1.StatefulSet",
)
