"""ReplicationController: keeps a number of pods, the oldest way."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, age_of, format_labels, template_cells
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_spec.rules import Errors, check_nonnegative
from wherry.api.core.replicated import (
    COUNTS,
    CURRENT,
    DESIRED,
    READY,
    default_replicas,
    replica_counts,
    status_replicas,
    template_warnings,
    validate_counts,
    validate_selected_template,
)
from wherry.api.equality import track_generation
from wherry.api.resource import Resource, Strategy, Subresource
from wherry.api.validation import validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.selectors import from_map


class ReplicationControllerStrategy(Strategy):
    """Defaults, checks and table row of replication controllers."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_replicas(spec)
        template = spec.get("template")
        if not template:
            return
        default_pod_template(template)
        if labels := labels_of(template):
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not labels_of(obj):
                obj.setdefault("metadata", {})["labels"] = dict(labels)

    def prepare(self, new: Object, old: Object | None) -> None:
        new["status"] = {"replicas": 0} if old is None else old.get("status") or {"replicas": 0}
        track_generation(new, old)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        spec = new.get("spec") or {}
        check_nonnegative(spec, ("minReadySeconds", "replicas"), "spec", errors)
        if not spec.get("selector"):
            errors.append(required("spec.selector"))
        validate_selected_template(
            spec.get("template"),
            from_map(spec.get("selector")),
            "spec.template",
            "ReplicationController",
            errors,
        )
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        errors: Errors = validate_object_meta_update(new, old)
        validate_counts(new.get("status") or {}, COUNTS, errors)
        return errors

    def warnings(self, new: Object, old: Object | None) -> list[str]:
        return template_warnings(new, old)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        selector = (obj.get("spec") or {}).get("selector")
        return [
            name_of(obj),
            *replica_counts(obj),
            age_of(obj, now),
            *template_cells(obj),
            format_labels(selector),
        ]


REPLICATION_CONTROLLERS = Resource(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    namespaced=True,
    short_names=("rc",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    strategy=ReplicationControllerStrategy(),
    columns=(NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, IMAGES, SELECTOR),
    selectable={"status.replicas": status_replicas},
    schema="io.k8s.api.core.v1.ReplicationController",
    storage_key="controllers",
)
