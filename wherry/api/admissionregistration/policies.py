"""Admission policies and their bindings: the validating and the mutating kind have most in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wherry.api.admissionregistration.expressions import (
    Scope,
    check_errors,
    mutation_errors,
    variable_errors,
)
from wherry.api.admissionregistration.matching import (
    FAILURE_POLICIES,
    condition_errors,
    default_match,
    match_errors,
)
from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.resource import COMPILES, Column, Resource, Subresource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import validate_one_of
from wherry.api.validation.conditions import validate_conditions
from wherry.objects.errors import FieldError, invalid_value, required
from wherry.objects.jsonpath import JsonPathError, parse_json_path
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1035_label_errors, dns1123_subdomain_errors

_REINVOCATIONS = ("IfNeeded", "Never")
_MIXED_CASE = "may have mixed case, but should otherwise match: "


def policy_resource(kind: str, plural: str, *, mutates: bool) -> Resource:
    """The declaration of a kind of policy."""
    schema = f"io.k8s.api.admissionregistration.v1.{kind}"
    part = "mutations" if mutates else "validations"

    def row(obj: Object, now: datetime) -> list[Any]:
        count = len((obj.get("spec") or {}).get(part) or ())
        return [name_of(obj), count, _param_kind(obj), age_of(obj, now)]

    return Resource(
        group="admissionregistration.k8s.io",
        version="v1",
        kind=kind,
        plural=plural,
        namespaced=False,
        categories=("api-extensions",),
        subresources=() if mutates else (Subresource("status"),),
        strategy=SchemaStrategy(
            unconditional_update=False,
            weight_factor=COMPILES,
            schema=schema,
            namespaced=False,
            has_status=not mutates,
            status_resets=("spec", "metadata"),
            tracks_generation=True,
            is_complete=True,
            defaults=_default,
            rules=lambda new, old: policy_errors(new, old, mutates=mutates),
            status_rules=_status_errors,
            row=row,
        ),
        columns=(
            NAME,
            Column(part.capitalize(), "integer", description=f"How many {part} the policy has"),
            Column("ParamKind", description="The kind of object that gives the policy its parameters"),
            AGE,
        ),
        schema=schema,
    )


def _default(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    if (match := spec.get("matchConstraints")) is not None:
        default_match(match)


def policy_errors(new: Object, old: Object | None, *, mutates: bool) -> list[FieldError]:
    """What is wrong with a policy."""
    spec, before = new.get("spec") or {}, (old or {}).get("spec") or {}
    scope = Scope.of(spec)
    errors = validate_one_of("spec.failurePolicy", spec.get("failurePolicy"), FAILURE_POLICIES)
    if (kind := spec.get("paramKind")) is not None:
        errors += _param_kind_errors(kind, "spec.paramKind")
    match = spec.get("matchConstraints")
    if match is None:
        errors.append(required("spec.matchConstraints"))
    else:
        errors += match_errors(match, "spec.matchConstraints")
        if not match.get("resourceRules"):
            errors.append(required("spec.matchConstraints.resourceRules"))
    if old is None or any(spec.get(name) != before.get(name) for name in ("paramKind", "matchConditions")):
        more = ("params",) if scope.has_params else ()
        errors += condition_errors(spec.get("matchConditions") or (), "spec.matchConditions", more)
    errors += variable_errors(spec.get("variables") or (), "spec.variables", scope)
    if not mutates:
        return errors + check_errors(spec, name_of(new), scope)
    errors += mutation_errors(spec.get("mutations") or (), "spec.mutations", scope)
    policy = spec.get("reinvocationPolicy")
    return errors + validate_one_of("spec.reinvocationPolicy", policy, _REINVOCATIONS)


def _param_kind_errors(kind: Mapping[str, Any], path: str) -> list[FieldError]:
    version, name = kind.get("apiVersion") or "", kind.get("kind") or ""
    errors = _version_errors(version, f"{path}.apiVersion")
    if not name:
        errors.append(required(f"{path}.kind"))
    elif wrong := dns1035_label_errors(name.lower()):
        errors.append(invalid_value(f"{path}.kind", name, _MIXED_CASE + ",".join(wrong)))
    return errors


def _version_errors(text: str, path: str) -> list[FieldError]:
    if not text:
        return [required(path)]
    if text.count("/") > 1:
        return [invalid_value(path, text, f"unexpected GroupVersion string: {text}")]
    group, _, version = text.rpartition("/")
    errors: list[FieldError] = []
    if group and (wrong := dns1123_subdomain_errors(group)):
        errors.append(invalid_value(path, group, ",".join(wrong)))
    if not version:
        errors.append(invalid_value(path, text, "version must be specified"))
    elif wrong := dns1035_label_errors(version):
        errors.append(invalid_value(path, version, ",".join(wrong)))
    return errors


def _status_errors(new: Object, _old: Object) -> list[FieldError]:
    """Warnings of the type checker say what they are about; conditions are conditions."""
    status = new.get("status") or {}
    errors: list[FieldError] = []
    path = "status.typeChecking.expressionWarnings"
    for index, warning in enumerate((status.get("typeChecking") or {}).get("expressionWarnings") or ()):
        if not warning.get("warning"):
            errors.append(required(f"{path}[{index}].warning"))
        where, at = (warning.get("fieldRef") or "").strip(), f"{path}[{index}].fieldRef"
        if not where:
            errors.append(required(at))
            continue
        try:
            parse_json_path(where if where.startswith(".") else f".{where}")
        except JsonPathError as error:
            errors.append(invalid_value(at, where, f"invalid JSONPath: {error}"))
    return errors + validate_conditions(status.get("conditions"), "status.conditions")


def _param_kind(obj: Object) -> str:
    """The ParamKind cell."""
    kind = (obj.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET
