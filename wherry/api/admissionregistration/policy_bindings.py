"""Bindings of admission policies: where a policy applies, and with what parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wherry.api.admissionregistration.matching import default_match, match_errors
from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import PATH_SEGMENT, check_text, validate_label_selector
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
)
from wherry.objects.meta import Object, name_of
from wherry.objects.names import dns1123_subdomain_errors
from wherry.objects.repeats import repeated

_ACTIONS = ("Audit", "Deny", "Warn")
_NOT_FOUND_ACTIONS = ("Deny", "Allow")
_EXCLUSIVE = "name and selector are mutually exclusive"
_TWICE = (
    "must not contain both Deny and Warn (repeating the same validation failure information in the API "
    "response and headers serves no purpose)"
)


def binding_resource(kind: str, plural: str, *, mutates: bool) -> Resource:
    """The declaration of a kind of binding."""
    schema = f"io.k8s.api.admissionregistration.v1.{kind}"
    return Resource(
        group="admissionregistration.k8s.io",
        version="v1",
        kind=kind,
        plural=plural,
        namespaced=False,
        categories=("api-extensions",),
        strategy=SchemaStrategy(
            unconditional_update=False,
            schema=schema,
            namespaced=False,
            tracks_generation=True,
            is_complete=True,
            defaults=_default,
            rules=lambda new, _old: binding_errors(new, mutates=mutates),
            row=_row,
        ),
        columns=(
            NAME,
            Column("PolicyName", description="The policy the binding is for"),
            Column("ParamRef", description="The object that gives the parameters"),
            AGE,
        ),
        schema=schema,
    )


def _default(obj: Object) -> None:
    if (match := (obj.get("spec") or {}).get("matchResources")) is not None:
        default_match(match)


def binding_errors(new: Object, *, mutates: bool) -> list[FieldError]:
    """What is wrong with a policy's binding."""
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    if name := spec.get("policyName"):
        errors += check_text("spec.policyName", name, dns1123_subdomain_errors)
    else:
        errors.append(required("spec.policyName"))
    if (ref := spec.get("paramRef")) is not None:
        errors += _param_ref_errors(ref, "spec.paramRef")
    if (match := spec.get("matchResources")) is not None:
        errors += match_errors(match, "spec.matchResources")
    return errors if mutates else errors + _action_errors(spec.get("validationActions") or ())


def _param_ref_errors(ref: Mapping[str, Any], path: str) -> list[FieldError]:
    name, selector = ref.get("name"), ref.get("selector")
    errors: list[FieldError] = []
    if name:
        errors += check_text(f"{path}.name", name, PATH_SEGMENT.check)
        if selector is not None:
            errors.append(forbidden_value(f"{path}.name", _EXCLUSIVE))
    if selector is not None:
        errors += validate_label_selector(selector, f"{path}.selector")
        if name:
            errors.append(forbidden_value(f"{path}.selector", _EXCLUSIVE))
    if not name and selector is None:
        errors.append(required(path, "one of name or selector must be specified"))
    action = ref.get("parameterNotFoundAction")
    if not action:
        errors.append(required(f"{path}.parameterNotFoundAction"))
    elif action not in _NOT_FOUND_ACTIONS:
        errors.append(not_supported(f"{path}.parameterNotFoundAction", action, _NOT_FOUND_ACTIONS))
    return errors


def _action_errors(actions: Sequence[str]) -> list[FieldError]:
    path = "spec.validationActions"
    errors: list[FieldError] = []
    twice = dict(repeated(actions))
    for index, action in enumerate(actions):
        if action not in _ACTIONS:
            errors.append(not_supported(f"{path}[{index}]", action, _ACTIONS))
        if index in twice:
            errors.append(duplicate_value(f"{path}[{index}]", action))
    if {"Deny", "Warn"} <= set(actions):
        errors.append(invalid_value(path, list(actions), _TWICE))
    if not actions:
        errors.append(required(path, "at least one validation action is required"))
    return errors


def _row(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    ref = spec.get("paramRef")
    text = UNSET
    if ref:
        name = ref.get("name") or "*"
        text = f"{ref['namespace']}/{name}" if ref.get("namespace") else f"*/{name}"
    return [name_of(obj), spec.get("policyName") or "", text, age_of(obj, now)]
