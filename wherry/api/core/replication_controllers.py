"""ReplicationController: keeps a number of pods, the oldest way."""

from __future__ import annotations

from typing import Any

from wherry.api.columns import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, format_labels
from wherry.api.core.pod_spec import default_pod_template
from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.api.core.replicated import (
    CURRENT,
    DESIRED,
    READY,
    ReplicatedStrategy,
    default_replicas,
    status_replicas,
    validate_selected_template,
)
from wherry.api.resource import Resource, Subresource
from wherry.objects.errors import required
from wherry.objects.meta import Object, labels_of
from wherry.objects.selectors import from_map


class ReplicationControllerStrategy(ReplicatedStrategy):
    """Pods found by plain labels, the template's own if nothing else was said."""

    orphans_by_default = True

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_replicas(spec)
        template = spec.get("template")
        if template is None:
            return
        default_pod_template(template)
        if labels := labels_of(template):
            if not spec.get("selector"):
                spec["selector"] = dict(labels)
            if not labels_of(obj):
                obj.setdefault("metadata", {})["labels"] = dict(labels)

    def validate_spec(self, spec: Fields, before: Fields | None, errors: Errors) -> None:
        if not spec.get("selector"):
            errors.append(required("spec.selector"))
        validate_selected_template(
            spec.get("template"),
            from_map(spec.get("selector")),
            "spec.template",
            "ReplicationController",
            errors,
        )

    def selector_text(self, selector: Any) -> str:
        return format_labels(selector)


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
