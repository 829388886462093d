"""ReplicaSet: keeps a number of equal pods."""

from __future__ import annotations

from typing import Any, ClassVar

from wherry.api.columns import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, format_selector
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.api.core.replicated import (
    COUNTS,
    CURRENT,
    DESIRED,
    READY,
    ReplicatedStrategy,
    default_replicas,
    status_replicas,
    validate_selected_template,
    validate_selector,
)
from wherry.api.resource import Resource, Subresource
from wherry.api.validation import validate_immutable
from wherry.objects.meta import Object


class ReplicaSetStrategy(ReplicatedStrategy):
    """Pods found by a label selector, which never changes."""

    status_counts: ClassVar[tuple[str, ...]] = (*COUNTS, "terminatingReplicas")

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_replicas(spec)
        default_pod_template(spec.setdefault("template", {"metadata": {}}))

    def validate_spec(self, spec: Fields, before: Fields | None, errors: Errors) -> None:
        selector = validate_selector(spec.get("selector"), "spec.selector", errors)
        if selector is not None:
            validate_selected_template(spec.get("template"), selector, "spec.template", "ReplicaSet", errors)
        if before is not None:
            errors.extend(validate_immutable("spec.selector", spec.get("selector"), before.get("selector")))

    def selector_text(self, selector: Any) -> str:
        return format_selector(selector)


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
