"""IngressClass: which controller serves an Ingress."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, NONE, age_of
from wherry.api.networking.references import typed_reference_errors
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import check_text, validate_domain_prefixed_path
from wherry.objects.errors import FieldError, forbidden_value, not_supported, required, too_long
from wherry.objects.meta import Object, annotations_of, name_of
from wherry.objects.names import dns1123_label_errors

_SCHEMA = "io.k8s.api.networking.v1.IngressClass"
CONTROLLER_LIMIT_B = 250
_SCOPES = ("Cluster", "Namespace")
IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


def _default(obj: Object) -> None:
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    spec = new.get("spec") or {}
    controller, path = spec.get("controller") or "", "spec.controller"
    if controller:
        errors = [too_long(path, CONTROLLER_LIMIT_B)] if len(controller) > CONTROLLER_LIMIT_B else []
        errors += validate_domain_prefixed_path(path, controller)
    else:
        errors = [required(path)]
    parameters = spec.get("parameters")
    return errors + _parameter_errors(parameters, "spec.parameters") if parameters is not None else errors


def _parameter_errors(parameters: Mapping[str, Any], path: str) -> list[FieldError]:
    errors = typed_reference_errors(parameters, path)
    scope, namespace, at = parameters.get("scope"), parameters.get("namespace"), f"{path}.namespace"
    if scope is None:
        errors.append(required(f"{path}.scope"))
    elif scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    elif scope == "Cluster" and namespace is not None:
        errors.append(forbidden_value(at, "`parameters.scope` is set to 'Cluster'"))
    elif scope == "Namespace" and namespace is None:
        errors.append(required(at, "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Namespace":
        errors += check_text(at, namespace or "", dns1123_label_errors)
    return errors


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
        is_complete=True,
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
    also_read={IS_DEFAULT: lambda obj: str(annotations_of(obj).get(IS_DEFAULT) or "")},
    indexed=frozenset({IS_DEFAULT}),
    schema=_SCHEMA,
)
