"""StatefulSet: pods with an identity and storage of their own.

Only a few fields of a stateful set may change; the rest would need every pod and claim made anew.
Rules: pkg/apis/apps/v1, SetDefaults_StatefulSet; pkg/apis/apps/validation, ValidateStatefulSetSpec.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.apps.rolling_update import validate_ordered_rolling_update
from wherry.api.apps.templates import template_errors
from wherry.api.columns import AGE, CONTAINERS, IMAGES, NAME, age_of, template_cells
from wherry.api.core.persistent_volume_claims import claim_spec_warnings, default_claim
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.replicated import template_warnings
from wherry.api.equality import is_same
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import (
    DNS_LABEL,
    check_text,
    validate_all_non_negative,
    validate_not_decremented,
)
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_label_errors

_SCHEMA = "io.k8s.api.apps.v1.StatefulSet"
_MANAGEMENT = ("OrderedReady", "Parallel")
_STRATEGIES = ("RollingUpdate", "OnDelete")
_RETENTION = ("Retain", "Delete")
_PARTS = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_COUNTS = ("replicas", *_PARTS, "observedGeneration", "collisionCount")
_KEEPS_ALL = (
    "spec.revisionHistoryLimit: a negative value retains all historical revisions; "
    "a value >= 0 is recommended"
)
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
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and (rolling := strategy.get("rollingUpdate")) is not None:
        rolling.setdefault("partition", 0)
        rolling.setdefault("maxUnavailable", 1)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    for event in ("whenDeleted", "whenScaled"):
        if not retention.get(event):
            retention[event] = "Retain"
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    default_pod_template(spec.setdefault("template", {}))
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        default_claim(claim)
        claim.setdefault("status", {}).setdefault("phase", "Pending")


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    policy = spec.get("podManagementPolicy")
    if policy not in _MANAGEMENT:
        errors.append(invalid_value("spec.podManagementPolicy", policy, _one_of(_MANAGEMENT)))
    errors += _strategy_errors(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    errors += [
        not_supported(f"spec.persistentVolumeClaimRetentionPolicy.{event}", retention.get(event), _RETENTION)
        for event in ("whenDeleted", "whenScaled")
        if retention.get(event) not in _RETENTION
    ]
    errors += validate_all_non_negative(spec, ("replicas", "minReadySeconds"), "spec")
    errors += validate_all_non_negative(spec.get("ordinals") or {}, ("start",), "spec.ordinals")
    errors += template_errors(spec, "spec", "StatefulSet", restart_policies=("Always",))
    if old is None:
        if name := spec.get("serviceName"):
            errors += check_text("spec.serviceName", name, dns1123_label_errors)
    elif _changed(spec, old.get("spec") or {}):
        errors.append(forbidden_value("spec", _CHANGED))
    return errors


def _one_of(choices: tuple[str, str]) -> str:
    return f"must be '{choices[0]}' or '{choices[1]}'"


def _strategy_errors(strategy: dict[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(path))
    elif kind not in _STRATEGIES:
        shown = {"Type": kind, "RollingUpdate": rolling}
        errors.append(invalid_value(path, shown, _one_of(_STRATEGIES)))
    elif rolling is not None and kind == "OnDelete":
        why = "only allowed for updateStrategy 'RollingUpdate'"
        errors.append(invalid_value(f"{path}.rollingUpdate", rolling, why))
    elif rolling is not None:
        validate_ordered_rolling_update(rolling, f"{path}.rollingUpdate", errors)
    return errors


def _status_rules(new: Object, old: Object) -> list[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    errors = validate_all_non_negative(status, _COUNTS, "status")
    total = status.get("replicas") or 0
    errors += [
        invalid_value(f"status.{name}", status[name], "cannot be greater than status.replicas")
        for name in _PARTS
        if (status.get(name) or 0) > total
    ]
    available = status.get("availableReplicas") or 0
    if available > (status.get("readyReplicas") or 0):
        why = "cannot be greater than status.readyReplicas"
        errors.append(invalid_value("status.availableReplicas", available, why))
    return errors + validate_not_decremented(status, before, "collisionCount", "status")


def _changed(spec: dict[str, Any], before: dict[str, Any]) -> bool:
    names = (set(spec) | set(before)) - _MAY_CHANGE
    return any(not is_same(spec.get(name), before.get(name)) for name in names)


def _warnings(new: Object, old: Object | None) -> list[str]:
    spec, texts = new.get("spec") or {}, template_warnings(new, old)
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        path = f"spec.volumeClaimTemplates[{index}]"
        texts += claim_spec_warnings(claim.get("spec") or {}, path if old is None else f"{path}.Spec")
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        texts.append(_KEEPS_ALL)
    return texts


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
        name_rule=DNS_LABEL,
        rules=_rules,
        status_rules=_status_rules,
        warns=_warnings,
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
