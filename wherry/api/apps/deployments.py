"""Deployment: pods replaced step by step when their template changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.apps.rolling_update import default_strategy, unknown_strategy, validate_rolling_update
from wherry.api.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    age_of,
    format_selector,
    template_cells,
)
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_spec.rules import Errors, Fields, check_nonnegative
from wherry.api.core.replicated import (
    default_replicas,
    template_warnings,
    validate_counts,
    validate_selected_template,
    validate_selector,
)
from wherry.api.generation import count_generation
from wherry.api.resource import Column, Resource, Strategy, Subresource
from wherry.api.validation import (
    validate_immutable,
    validate_not_decremented,
    validate_object_meta,
    validate_object_meta_update,
)
from wherry.objects.errors import FieldError, forbidden_value, invalid_value
from wherry.objects.meta import Object, name_of

_COUNTS = (
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "unavailableReplicas",
    "collisionCount",
    "observedGeneration",
)


class DeploymentStrategy(Strategy):
    """Defaults, checks and table row of deployments."""

    status_resets = ("spec", "metadata.labels")

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_replicas(spec)
        default_pod_template(spec.setdefault("template", {"metadata": {}}))
        default_strategy(spec, "25%")
        for name, value in (("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
            if spec.get(name) is None:
                spec[name] = value

    def prepare(self, new: Object, old: Object | None) -> None:
        super().prepare(new, old)
        new.setdefault("status", {})
        # kubectl and the controller keep state in annotations, so these count as changes too.
        count_generation(new, old, ("spec", "metadata.annotations"))

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        spec = new.get("spec") or {}
        check_nonnegative(spec, ("replicas",), "spec", errors)
        selector = validate_selector(spec.get("selector"), "spec.selector", errors)
        if selector is not None:
            # Upstream checks with ReplicaSet's rules, and names it.
            validate_selected_template(spec.get("template"), selector, "spec.template", "ReplicaSet", errors)
        _validate_strategy(spec.get("strategy") or {}, "spec.strategy", errors)
        check_nonnegative(
            spec, ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"), "spec", errors
        )
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
            detail = "must be greater than minReadySeconds"
            errors.append(invalid_value("spec.progressDeadlineSeconds", deadline, detail))
        if old is not None:
            before = (old.get("spec") or {}).get("selector")
            errors.extend(validate_immutable("spec.selector", spec.get("selector"), before))
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        errors: Errors = validate_object_meta_update(new, old)
        status, before = new.get("status") or {}, old.get("status") or {}
        validate_counts(status, _COUNTS, errors)
        return errors + validate_not_decremented(status, before, "collisionCount", "status")

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        return template_warnings(new, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        return [
            name_of(obj),
            f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
            status.get("updatedReplicas") or 0,
            status.get("availableReplicas") or 0,
            age_of(obj, now),
            *template_cells(obj),
            format_selector(spec.get("selector")),
        ]


def _validate_strategy(strategy: Fields, path: str, errors: Errors) -> None:
    kind = strategy.get("type") or ""
    if kind == "RollingUpdate":
        validate_rolling_update(strategy.get("rollingUpdate"), f"{path}.rollingUpdate", errors)
    elif kind == "Recreate":
        if strategy.get("rollingUpdate") is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            errors.append(forbidden_value(f"{path}.rollingUpdate", detail))
    else:
        errors.append(unknown_strategy(strategy, path, ("Recreate", "RollingUpdate")))


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
    strategy=DeploymentStrategy(),
    columns=(
        NAME,
        Column("Ready", description="How many of the wanted pods are ready."),
        Column("Up-to-date", description="How many pods have the current template."),
        Column("Available", description="How many pods have been ready for long enough."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    schema="io.k8s.api.apps.v1.Deployment",
)
