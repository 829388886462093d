"""DeviceTaintRule: a taint on devices."""

from __future__ import annotations

from wherry.api.dynamicresources.names import driver_errors, label_errors, pool_errors
from wherry.api.dynamicresources.taints import date_taint, taint_errors
from wherry.api.resource import Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation.conditions import validate_conditions
from wherry.objects.errors import FieldError, too_many
from wherry.objects.meta import Object

CONDITIONS_LIMIT = 8
_SCHEMA = "io.k8s.api.resource.v1.DeviceTaintRule"
_SELECTED_BY = (("driver", driver_errors), ("pool", pool_errors), ("device", label_errors))


def _prepare(new: Object, old: Object | None) -> None:
    taint = (new.get("spec") or {}).get("taint")
    if isinstance(taint, dict):
        before = ((old or {}).get("spec") or {}).get("taint")
        date_taint(taint, before, (new.get("metadata") or {}).get("creationTimestamp") or "")


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    selector = spec.get("deviceSelector") or {}
    errors: list[FieldError] = []
    for name, check in _SELECTED_BY:
        if selector.get(name) is not None:
            errors += check(selector[name], f"spec.deviceSelector.{name}")
    before = None if old is None else (old.get("spec") or {}).get("taint") or {}
    return errors + taint_errors(spec.get("taint") or {}, "spec.taint", before)


def _status_rules(new: Object, _old: Object) -> list[FieldError]:
    conditions = (new.get("status") or {}).get("conditions") or ()
    errors = validate_conditions(conditions, "status.conditions")
    if len(conditions) > CONDITIONS_LIMIT:
        errors.append(too_many("status.conditions", len(conditions), CONDITIONS_LIMIT))
    return errors


DEVICE_TAINT_RULES = Resource(
    group="resource.k8s.io",
    version="v1",
    kind="DeviceTaintRule",
    plural="devicetaintrules",
    namespaced=False,
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        has_status=True,
        status_resets=("spec", "metadata"),
        tracks_generation=True,
        prepares=_prepare,
        rules=_rules,
        status_rules=_status_rules,
    ),
    schema=_SCHEMA,
    storage_version=("resource.k8s.io", "v1beta2"),  # which the release before can read
)
