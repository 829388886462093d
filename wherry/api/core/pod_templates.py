"""PodTemplate: a pod to be made, kept by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import NAME, container_cells, format_labels
from wherry.api.core.pod_spec import default_pod_template, validate_pod_template
from wherry.api.core.pod_warnings import pod_warnings
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, labels_of, name_of

_SCHEMA = "io.k8s.api.core.v1.PodTemplate"


def _default(obj: Object) -> None:
    default_pod_template(obj.setdefault("template", {}))


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    return validate_pod_template(new.get("template") or {}, "template")


def _warns(new: Object, _old: Object | None) -> list[str]:
    return pod_warnings(new.get("template") or {}, "template")


def _row(obj: Object, _now: datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [name_of(obj), *container_cells(template.get("spec")), format_labels(labels_of(template))]


POD_TEMPLATES = Resource(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        is_complete=True,
        namespaced=True,
        tracks_generation=True,
        creates_on_update=True,
        defaults=_default,
        rules=_rules,
        warns=_warns,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Containers", description="Names of each container in the template."),
        Column("Images", description="Images referenced by each container in the template."),
        Column("Pod Labels", description="The labels for the pod template."),
    ),
    schema=_SCHEMA,
)
