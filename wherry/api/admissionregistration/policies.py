"""What admission policies and their bindings share: defaults, rules and rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.admissionregistration.webhooks import rule_errors
from wherry.api.columns import AGE, NAME, UNSET, age_of
from wherry.api.resource import Column
from wherry.api.validation import validate_label_selector, validate_one_of
from wherry.objects.errors import FieldError, not_supported, required
from wherry.objects.meta import Object, name_of

_ACTIONS = ("Audit", "Deny", "Warn")
PARAM_KIND = Column("ParamKind", description="The kind of object that gives the policy its parameters")
BINDING_COLUMNS = (
    NAME,
    Column("PolicyName", description="The policy the binding is for"),
    Column("ParamRef", description="The object that gives the parameters"),
    AGE,
)


def default_match(match: Object) -> None:
    """Default a MatchResources in place."""
    for name, value in (("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {})):
        if match.get(name) is None:
            match[name] = value
    for rules in ("resourceRules", "excludeResourceRules"):
        for rule in match.get(rules) or ():
            if rule.get("scope") is None:
                rule["scope"] = "*"


def default_policy(obj: Object) -> None:
    """Default a policy in place."""
    spec = obj.setdefault("spec", {})
    if spec.get("failurePolicy") is None:
        spec["failurePolicy"] = "Fail"
    if (match := spec.get("matchConstraints")) is not None:
        default_match(match)


def default_binding(obj: Object) -> None:
    """Default a policy's binding in place."""
    if (match := (obj.get("spec") or {}).get("matchResources")) is not None:
        default_match(match)


def policy_errors(new: Object, _old: Object | None) -> list[FieldError]:
    """What is wrong with a policy, apart from its expressions."""
    spec = new.get("spec") or {}
    errors = validate_one_of("spec.failurePolicy", spec.get("failurePolicy"), ("Fail", "Ignore"))
    match = spec.get("matchConstraints")
    if match is None:
        return [*errors, required("spec.matchConstraints")]
    if not match.get("resourceRules"):
        errors.append(required("spec.matchConstraints.resourceRules"))
    return errors + match_errors(match, "spec.matchConstraints")


def match_errors(match: Object, path: str) -> list[FieldError]:
    """What is wrong with a MatchResources."""
    errors: list[FieldError] = []
    for name in ("namespaceSelector", "objectSelector"):
        errors += validate_label_selector(match.get(name), f"{path}.{name}")
    for rules in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(rules) or ()):
            errors += rule_errors(rule, f"{path}.{rules}[{index}]")
    return errors


def binding_errors(new: Object, _old: Object | None) -> list[FieldError]:
    """What is wrong with a policy's binding."""
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    if not spec.get("policyName"):
        errors.append(required("spec.policyName"))
    if (match := spec.get("matchResources")) is not None:
        errors += match_errors(match, "spec.matchResources")
    return errors


def validating_binding_errors(new: Object, old: Object | None) -> list[FieldError]:
    """`binding_errors`, and that the actions are known."""
    errors = binding_errors(new, old)
    actions = (new.get("spec") or {}).get("validationActions") or ()
    if not actions:
        errors.append(required("spec.validationActions", "at least one validation action is required"))
    errors += [
        not_supported(f"spec.validationActions[{index}]", action, _ACTIONS)
        for index, action in enumerate(actions)
        if action not in _ACTIONS
    ]
    return errors


def param_kind(obj: Object) -> str:
    """The ParamKind cell."""
    kind = (obj.get("spec") or {}).get("paramKind")
    return f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET


def binding_row(obj: Object, now: datetime) -> list[Any]:
    """The row of a policy's binding."""
    spec = obj.get("spec") or {}
    ref = spec.get("paramRef")
    text = UNSET
    if ref:
        name = ref.get("name") or "*"
        text = f"{ref['namespace']}/{name}" if ref.get("namespace") else f"*/{name}"
    return [name_of(obj), spec.get("policyName") or "", text, age_of(obj, now)]
