"""HorizontalPodAutoscaler in its first form, which knows only CPU; stored as v2."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.autoscaling.conversion import to_v1, to_v2
from wherry.api.autoscaling.horizontal_pod_autoscalers import (
    HPA_COLUMNS,
    hpa_errors,
    hpa_row,
    hpa_status_errors,
)
from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

_SCHEMA = "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler"


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    # Upstream fills in the rest on the way to v2 and back, where it sees what the annotations say.
    made = to_v1(to_v2(obj))
    if annotations := (made.get("metadata") or {}).get("annotations"):
        obj["metadata"]["annotations"] = annotations
    for name in ("spec", "status"):
        if name in made:
            obj[name] = made[name]


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    return hpa_errors(to_v2(new), to_v2(old) if old is not None else None)


def _row(obj: Object, now: datetime) -> list[Any]:
    return hpa_row(to_v2(obj), now)


HORIZONTAL_POD_AUTOSCALERS_V1 = Resource(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
    short_names=("hpa",),
    categories=("all",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        has_status=True,
        defaults=_default,
        rules=_rules,
        status_rules=hpa_status_errors,
        row=_row,
    ),
    columns=HPA_COLUMNS,
    schema=_SCHEMA,
    storage_version=("autoscaling", "v2"),
    to_storage=to_v2,
    from_storage=to_v1,
)
