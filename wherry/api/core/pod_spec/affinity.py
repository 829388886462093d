"""Affinity: terms over labels of nodes and of other pods, required or weighted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.rules import Errors, Fields, check, check_label_key
from wherry.api.core.pod_spec.scheduling import validate_label_keys
from wherry.api.validation import validate_label_selector
from wherry.objects.errors import forbidden_value, invalid_value, required
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors, label_value_errors

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

_WEIGHT_WRONG = "must be in the range 1-100"
_OPERATOR_WRONG = "not a valid selector operator"


def validate_affinity(affinity: Fields | None, path: str, errors: Errors) -> None:
    """`spec.affinity`."""
    if not affinity:
        return
    if node := affinity.get("nodeAffinity"):
        _validate_node_affinity(node, f"{path}.nodeAffinity", errors)
    for field in ("podAffinity", "podAntiAffinity"):
        if rules := affinity.get(field):
            _validate_pod_affinity(rules, f"{path}.{field}", errors)


def _validate_node_affinity(rules: Fields, path: str, errors: Errors) -> None:
    if (selector := rules.get(REQUIRED)) is not None:
        validate_node_selector(selector, f"{path}.{REQUIRED}", errors)
    for index, term in enumerate(rules.get(PREFERRED) or ()):
        at = f"{path}.{PREFERRED}[{index}]"
        _validate_weight(term, at, errors)
        _validate_node_term(term.get("preference") or {}, f"{at}.preference", False, errors)


def validate_node_selector(selector: Fields, path: str, errors: Errors) -> None:
    """A `v1.NodeSelector`: terms of which one must hold."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        errors.append(required(f"{path}.nodeSelectorTerms", "must have at least one node selector term"))
    for index, term in enumerate(terms):
        _validate_node_term(term, f"{path}.nodeSelectorTerms[{index}]", True, errors)


def _validate_node_term(term: Fields, path: str, strict: bool, errors: Errors) -> None:
    """`strict`: values must be possible label values (preferences may hold others)."""
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        _validate_node_requirement(requirement, f"{path}.matchExpressions[{index}]", strict, errors)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        _validate_node_field(requirement, f"{path}.matchFields[{index}]", errors)


def _validate_node_requirement(requirement: Fields, path: str, strict: bool, errors: Errors) -> None:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    at = f"{path}.values"
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(at, "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_value(at, detail))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            errors.append(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        errors.append(invalid_value(f"{path}.operator", operator, _OPERATOR_WRONG))
    check_label_key(requirement.get("key") or "", f"{path}.key", errors)
    if strict:
        for index, value in enumerate(values):
            check(label_value_errors, value, f"{at}[{index}]", errors)


def _validate_node_field(requirement: Fields, path: str, errors: Errors) -> None:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator not in ("In", "NotIn"):
        errors.append(invalid_value(f"{path}.operator", operator, _OPERATOR_WRONG))
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", detail))
    key = requirement.get("key") or ""
    if key != "metadata.name":
        errors.append(invalid_value(f"{path}.key", key, "not a valid field selector key"))
        return
    for index, value in enumerate(values):
        check(dns1123_subdomain_errors, value, f"{path}.values[{index}]", errors)


def _validate_weight(term: Fields, path: str, errors: Errors) -> None:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        errors.append(invalid_value(f"{path}.weight", weight, _WEIGHT_WRONG))


def _validate_pod_affinity(rules: Fields, path: str, errors: Errors) -> None:
    for index, term in enumerate(rules.get(REQUIRED) or ()):
        _validate_pod_term(term, f"{path}.{REQUIRED}[{index}]", errors)
    for index, weighted in enumerate(rules.get(PREFERRED) or ()):
        at = f"{path}.{PREFERRED}[{index}]"
        _validate_weight(weighted, at, errors)
        _validate_pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm", errors)


def _validate_pod_term(term: Fields, path: str, errors: Errors) -> None:
    for field in ("labelSelector", "namespaceSelector"):
        errors.extend(validate_label_selector(term.get(field), f"{path}.{field}"))
    for namespace in term.get("namespaces") or ():
        check(dns1123_label_errors, namespace, f"{path}.namespace", errors)
    validate_label_keys(term, ("matchLabelKeys", "mismatchLabelKeys"), path, errors)
    key = term.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    check_label_key(key, f"{path}.topologyKey", errors)


def merge_label_keys(spec: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    """Turn `matchLabelKeys` and the like into requirements on the pod's own values, in place.

    Done once, when a pod is created, so that scheduler and users see the selector that counts.
    """
    affinity = spec.get("affinity") or {}
    for field in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(field) or {}
        terms: list[dict[str, Any]] = list(rules.get(REQUIRED) or ())
        terms += [weighted.get("podAffinityTerm") or {} for weighted in rules.get(PREFERRED) or ()]
        for term in terms:
            _merge_keys(term, "matchLabelKeys", "In", labels)
            _merge_keys(term, "mismatchLabelKeys", "NotIn", labels)
    for constraint in spec.get("topologySpreadConstraints") or ():
        _merge_keys(constraint, "matchLabelKeys", "In", labels)


def _merge_keys(term: dict[str, Any], field: str, operator: str, labels: Mapping[str, str]) -> None:
    selector, keys = term.get("labelSelector"), term.get(field)
    if selector is None or not keys:
        return
    new: Sequence[dict[str, Any]] = [
        {"key": key, "operator": operator, "values": [labels[key]]} for key in keys if key in labels
    ]
    if new:
        selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *new]
