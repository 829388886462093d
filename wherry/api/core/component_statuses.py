"""ComponentStatus: health of the control plane, long deprecated; computed on reading."""

from __future__ import annotations

from wherry.api.resource import Resource

COMPONENT_STATUSES = Resource(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    schema="io.k8s.api.core.v1.ComponentStatus",
)
