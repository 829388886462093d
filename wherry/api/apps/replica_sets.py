"""ReplicaSet: keeps a number of equal pods."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
    validate_selector,
)
from wherry.api.equality import track_generation
from wherry.api.resource import Resource, Strategy, Subresource
from wherry.api.validation import validate_immutable, validate_object_meta, validate_object_meta_update
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of


class ReplicaSetStrategy(Strategy):
    """Defaults, checks and table row of replica sets."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_replicas(spec)
        default_pod_template(spec.setdefault("template", {"metadata": {}}))

    def prepare(self, new: Object, old: Object | None) -> None:
        new["status"] = {"replicas": 0} if old is None else old.get("status") or {"replicas": 0}
        track_generation(new, old)

    def validate(self, new: Object, old: Object | None) -> list[FieldError]:
        errors: Errors = (
            validate_object_meta(new, True) if old is None else validate_object_meta_update(new, old)
        )
        spec = new.get("spec") or {}
        check_nonnegative(spec, ("replicas", "minReadySeconds"), "spec", errors)
        selector = validate_selector(spec.get("selector"), "spec.selector", errors)
        if selector is not None:
            validate_selected_template(spec.get("template"), selector, "spec.template", "ReplicaSet", errors)
        if old is not None:
            before = (old.get("spec") or {}).get("selector")
            errors.extend(validate_immutable("spec.selector", spec.get("selector"), before))
        return errors

    def validate_status(self, new: Object, old: Object) -> list[FieldError]:
        errors: Errors = validate_object_meta_update(new, old)
        validate_counts(new.get("status") or {}, (*COUNTS, "terminatingReplicas"), errors)
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
            format_selector(selector),
        ]


REPLICA_SETS = Resource(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    namespaced=True,
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource("scale", group="autoscaling", version="v1", kind="Scale"),
        Subresource("status"),
    ),
    strategy=ReplicaSetStrategy(),
    columns=(NAME, DESIRED, CURRENT, READY, AGE, CONTAINERS, IMAGES, SELECTOR),
    selectable={"status.replicas": status_replicas},
    schema="io.k8s.api.apps.v1.ReplicaSet",
)
