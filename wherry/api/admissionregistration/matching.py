"""Which requests a webhook or policy is about: rules, selectors, conditions; with defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from wherry.api.validation import (
    PATH_SEGMENT,
    SelectorOptions,
    check_text,
    validate_label_selector,
    validate_one_of,
)
from wherry.api.validation.expressions import expression_errors
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    invalid_value,
    not_supported,
    required,
    too_many,
)
from wherry.objects.meta import Object
from wherry.objects.names import qualified_name_errors
from wherry.objects.repeats import repeated

FAILURE_POLICIES = ("Fail", "Ignore")
MATCH_POLICIES = ("Equivalent", "Exact")
CONDITIONS_LIMIT = 64
VARIABLES = ("object", "oldObject", "request", "namespaceObject")
"""What every expression about a request may name."""
_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_SELECTORS = ("namespaceSelector", "objectSelector")
_ALONE = {"operations": "operations", "apiGroups": "API groups", "apiVersions": "API versions"}
Fields = Mapping[str, Any]


def default_match(match: Object) -> None:
    """Default the matching part of a webhook, or a MatchResources, in place."""
    for name, value in (("matchPolicy", "Equivalent"), ("namespaceSelector", {}), ("objectSelector", {})):
        if match.get(name) is None:
            match[name] = value
    for rules in ("rules", "resourceRules", "excludeResourceRules"):
        for rule in match.get(rules) or ():
            if rule.get("scope") is None:
                rule["scope"] = "*"


def match_errors(match: Fields, path: str) -> list[FieldError]:
    """What is wrong with a MatchResources."""
    errors = validate_one_of(f"{path}.matchPolicy", match.get("matchPolicy"), MATCH_POLICIES)
    errors += selector_errors(match, path)
    for rules in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(rules) or ()):
            errors += _named_rule_errors(rule, f"{path}.{rules}[{index}]")
    return errors


def selector_errors(match: Fields, path: str, *, allows_odd_values: bool = False) -> list[FieldError]:
    """What is wrong with the selectors; `allows_odd_values`: even values no label can have are taken."""
    options = SelectorOptions(allow_invalid_values=allows_odd_values)
    return [
        error
        for name in _SELECTORS
        for error in validate_label_selector(match.get(name), f"{path}.{name}", options)
    ]


def _named_rule_errors(rule: Fields, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names = rule.get("resourceNames") or ()
    twice = dict(repeated(names))
    for index, name in enumerate(names):
        at = f"{path}.resourceNames[{index}]"
        errors += check_text(at, name, PATH_SEGMENT.check)
        if index in twice:
            errors.append(duplicate_value(at, name))
    return errors + rule_errors(rule, path)


def rule_errors(rule: Fields, path: str) -> list[FieldError]:
    """A rule names operations, groups, versions and resources, and a scope."""
    errors: list[FieldError] = []
    for name, others in _ALONE.items():
        values = rule.get(name) or []
        if not values:
            errors.append(required(f"{path}.{name}"))
        if "*" in values and len(values) > 1:
            why = f"if '*' is present, must not specify other {others}"
            errors.append(invalid_value(f"{path}.{name}", values, why))
        for index, value in enumerate(values):
            if name == "operations" and value not in _OPERATIONS:
                errors.append(not_supported(f"{path}.{name}[{index}]", value, _OPERATIONS))
            if name == "apiVersions" and not value:
                errors.append(required(f"{path}.{name}[{index}]"))
    errors += _resources_errors(rule.get("resources") or [], f"{path}.resources")
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        errors.append(not_supported(f"{path}.scope", scope, _SCOPES))
    return errors


def _resources_errors(resources: Sequence[str], path: str) -> list[FieldError]:
    """Resources and subresources, each covered by only one of the patterns."""
    if not resources:
        return [required(path)]
    errors: list[FieldError] = []
    all_below: set[str] = set()
    everywhere: set[str] = set()
    has_plain = False
    for index, text in enumerate(resources):
        resource, slash, sub = text.partition("/")
        if not text:
            errors.append(required(f"{path}[{index}]"))
        elif not slash:
            has_plain = text != "*"
        if not slash:
            continue
        for covered, pattern in ((resource in all_below, f"{resource}/*"), (sub in everywhere, f"*/{sub}")):
            if covered:
                why = f"if '{pattern}' is present, must not specify {text}"
                errors.append(invalid_value(f"{path}[{index}]", text, why))
        if sub == "*":
            all_below.add(resource)
        if resource == "*":
            everywhere.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        why = "if '*/*' is present, must not specify other resources"
        errors.append(invalid_value(path, list(resources), why))
    if "*" in resources and has_plain:
        why = "if '*' is present, must not specify other resources without subresources"
        errors.append(invalid_value(path, list(resources), why))
    return errors


def condition_errors(conditions: Sequence[Fields], path: str, more: Collection[str] = ()) -> list[FieldError]:
    """What is wrong with matchConditions; `more` are variables they may name beyond the usual ones."""
    errors: list[FieldError] = []
    if len(conditions) > CONDITIONS_LIMIT:
        errors.append(too_many(path, len(conditions), CONDITIONS_LIMIT))
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at = f"{path}[{index}]"
        source, name = (condition.get("expression") or "").strip(), condition.get("name") or ""
        if not source:
            errors.append(required(f"{at}.expression"))
        else:
            names = (*VARIABLES, "authorizer", *more)
            errors += expression_errors(f"{at}.expression", source, names, ("bool",))
        if not name:
            errors.append(required(f"{at}.name"))
            continue
        errors += check_text(f"{at}.name", name, qualified_name_errors)
        if name in seen:
            errors.append(duplicate_value(f"{at}.name", name))
        seen.add(name)
    return errors
