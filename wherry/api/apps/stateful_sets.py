"""StatefulSet: pods with an identity and storage of their own.

Only a few fields of a stateful set may change; the rest would need every pod and claim made anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.apps.templates import template_errors
from wherry.api.columns import AGE, CONTAINERS, IMAGES, NAME, age_of, template_cells
from wherry.api.core.persistent_volume_claims import default_claim
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_non_negative, validate_one_of
from wherry.objects.errors import FieldError, forbidden_value
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.apps.v1.StatefulSet"
_MAY_CHANGE = frozenset(
    {
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    }
)
_CHANGED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if not spec.get("podManagementPolicy"):
        spec["podManagementPolicy"] = "OrderedReady"
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for event in ("whenDeleted", "whenScaled"):
        if not retention.get(event):
            retention[event] = "Retain"
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    default_pod_template(spec.setdefault("template", {}))
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        default_claim(claim)
        claim.setdefault("status", {}).setdefault("phase", "Pending")


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = template_errors(spec, "spec", "statefulset", restart_policies=("Always",))
    errors += validate_non_negative("spec.replicas", spec.get("replicas"))
    errors += validate_non_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
    errors += validate_non_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    errors += validate_one_of(
        "spec.podManagementPolicy", spec.get("podManagementPolicy"), ("OrderedReady", "Parallel")
    )
    strategy = spec.get("updateStrategy") or {}
    errors += validate_one_of("spec.updateStrategy.type", strategy.get("type"), ("OnDelete", "RollingUpdate"))
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    errors += validate_non_negative("spec.updateStrategy.rollingUpdate.partition", partition)
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for event in ("whenDeleted", "whenScaled"):
        path = f"spec.persistentVolumeClaimRetentionPolicy.{event}"
        errors += validate_one_of(path, retention.get(event), ("Delete", "Retain"))
    start = (spec.get("ordinals") or {}).get("start")
    errors += validate_non_negative("spec.ordinals.start", start)
    if old is not None and _changed(spec, old.get("spec") or {}):
        errors.append(forbidden_value("spec", _CHANGED))
    return errors


def _changed(spec: dict[str, Any], before: dict[str, Any]) -> bool:
    names = (set(spec) | set(before)) - _MAY_CHANGE
    return any((spec.get(name) or None) != (before.get(name) or None) for name in names)


def _row(obj: Object, now: datetime) -> list[Any]:
    ready = (obj.get("status") or {}).get("readyReplicas") or 0
    wanted = (obj.get("spec") or {}).get("replicas") or 0
    return [name_of(obj), f"{ready}/{wanted}", age_of(obj, now), *template_cells(obj)]


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
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Ready", description="How many of the wanted pods are ready."),
        AGE,
        CONTAINERS,
        IMAGES,
    ),
    schema=_SCHEMA,
)
