"""LimitRange: bounds and defaults for the resources used in a namespace."""

from __future__ import annotations

from wherry.api.resource import Resource

LIMIT_RANGES = Resource(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    namespaced=True,
    short_names=("limits",),
    schema="io.k8s.api.core.v1.LimitRange",
)
