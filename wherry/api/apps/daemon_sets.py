"""DaemonSet: one pod on each node."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.apps.rolling_update import unknown_strategy, validate_daemon_rolling_update
from wherry.api.apps.templates import template_errors
from wherry.api.columns import (
    AGE,
    CONTAINERS,
    IMAGES,
    NAME,
    SELECTOR,
    age_of,
    format_labels,
    format_selector,
    template_cells,
)
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.replicated import template_warnings
from wherry.api.equality import is_same
from wherry.api.resource import Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_all_non_negative, validate_not_decremented
from wherry.kit.integers import go_integer, parse_integer
from wherry.objects.errors import FieldError, bad_request, required
from wherry.objects.meta import Object, annotations_of, name_of

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_SCHEMA = "io.k8s.api.apps.v1.DaemonSet"
_COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    default_pod_template(spec.setdefault("template", {}))


def _count_templates(new: Object, old: Object | None) -> None:
    """Count changes of the template in an annotation, once a field, which nobody else may set."""
    meta = new.setdefault("metadata", {})
    annotations = meta.get("annotations") or {}
    before = annotations if old is None else annotations_of(old)
    if TEMPLATE_GENERATION in annotations:
        try:
            go_integer(annotations[TEMPLATE_GENERATION])
        except ValueError as error:
            kind = 'DaemonSet in version "v1" cannot be handled as a DaemonSet'
            raise bad_request(f"{kind}: {error}") from error
    count = parse_integer(before.get(TEMPLATE_GENERATION) or "") or 0
    if old is None:
        count = max(count, 1)
    elif not is_same((new.get("spec") or {}).get("template"), (old.get("spec") or {}).get("template")):
        count += 1
    meta["annotations"] = {**annotations, TEMPLATE_GENERATION: str(count)}


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    errors = template_errors(spec, "spec", "DaemonSet", restart_policies=("Always",))
    errors += validate_all_non_negative(spec, ("minReadySeconds", "revisionHistoryLimit"), "spec")
    path, strategy = "spec.updateStrategy", spec.get("updateStrategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "RollingUpdate":
        if rolling is None:
            errors.append(required(f"{path}.rollingUpdate"))
        else:
            validate_daemon_rolling_update(rolling, f"{path}.rollingUpdate", errors)
    elif kind != "OnDelete":
        errors.append(unknown_strategy(strategy, path, ("RollingUpdate", "OnDelete")))
    return errors


def _status_rules(new: Object, old: Object) -> list[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    errors = validate_all_non_negative(status, _COUNTS, "status")
    return errors + validate_not_decremented(status, before, "collisionCount", "status")


def _row(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    return [
        name_of(obj),
        *(status.get(count) or 0 for count in counts),
        format_labels(pod_spec.get("nodeSelector")),
        age_of(obj, now),
        *template_cells(obj),
        format_selector(spec.get("selector")),
    ]


DAEMON_SETS = Resource(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    namespaced=True,
    short_names=("ds",),
    categories=("all",),
    subresources=(Subresource("status"),),
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        has_status=True,
        tracks_generation=True,
        immutable=("spec.selector",),
        defaults=_default,
        prepares=_count_templates,
        rules=_rules,
        status_rules=_status_rules,
        warns=template_warnings,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Desired", "integer", description="How many nodes should run the pod."),
        Column("Current", "integer", description="How many nodes run the pod."),
        Column("Ready", "integer", description="How many nodes run the pod, ready."),
        Column("Up-to-date", "integer", description="How many nodes run the pod as it is now."),
        Column("Available", "integer", description="How many nodes run the pod, available."),
        Column("Node Selector", description="Labels of the nodes the pod fits on."),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ),
    schema=_SCHEMA,
)
