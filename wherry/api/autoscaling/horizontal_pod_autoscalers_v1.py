"""HorizontalPodAutoscaler in its first form, which knows only CPU; stored as v2."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

HORIZONTAL_POD_AUTOSCALERS_V1 = Resource(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    storage_version=("autoscaling", "v2"),
)
