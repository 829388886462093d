"""IngressClass: which controller serves an Ingress."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.networking.v1.IngressClass"
IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


def _default(obj: Object) -> None:
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters and not parameters.get("scope"):
        parameters["scope"] = "Cluster"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    return [] if (new.get("spec") or {}).get("controller") else [required("spec.controller")]


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    parameters = spec.get("parameters")
    text = NONE
    if parameters:
        group = parameters.get("apiGroup")
        kind = f"{parameters.get('kind')}.{group}" if group else f"{parameters.get('kind')}"
        text = f"{kind}/{parameters.get('name')}"
    return [name_of(obj), spec.get("controller") or "", text, age_of(obj, now)]


INGRESS_CLASSES = Resource(
    group="networking.k8s.io",
    version="v1",
    kind="IngressClass",
    plural="ingressclasses",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        immutable=("spec.controller",),
        defaults=_default,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Controller", description="Controller that is responsible for handling this class"),
        Column("Parameters", description="A reference to a resource with additional parameters"),
        AGE,
    ),
    schema=_SCHEMA,
)
