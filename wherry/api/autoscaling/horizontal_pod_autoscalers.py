"""HorizontalPodAutoscaler: a number of replicas that follows metrics."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

HORIZONTAL_POD_AUTOSCALERS = Resource(
    group="autoscaling",
    version="v2",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
)
