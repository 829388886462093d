"""Where a pod may run: tolerations, gates, spread constraints and priority."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.core.pod_spec.rules import (
    NOT_POSITIVE,
    Errors,
    Fields,
    check,
    check_choice,
    check_label_key,
)
from wherry.api.validation import validate_label_selector
from wherry.objects.errors import (
    duplicate_value,
    forbidden_value,
    invalid_value,
    not_supported,
    required,
)
from wherry.objects.names import dns1123_subdomain_errors, label_value_errors, qualified_name_errors

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

_WHEN = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION = ("Honor", "Ignore")


def validate_tolerations(tolerations: Sequence[Fields], path: str, errors: Errors) -> None:
    """A list of tolerations."""
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator = toleration.get("key") or "", toleration.get("operator") or ""
        value, effect = toleration.get("value") or "", toleration.get("effect") or ""
        if key:
            check_label_key(key, f"{at}.key", errors)
        elif operator != "Exists":
            detail = (
                'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            )
            errors.append(invalid_value(f"{at}.operator", operator, detail))
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(invalid_value(f"{at}.effect", effect, detail))
        if operator in ("Equal", ""):
            if wrong := label_value_errors(value):
                errors.append(invalid_value(f"{at}.operator", value, ";".join(wrong)))
        elif operator == "Exists":
            if value:
                detail = "value must be empty when `operator` is 'Exists'"
                errors.append(invalid_value(f"{at}.operator", value, detail))
        else:
            errors.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in EFFECTS:
            errors.append(not_supported(f"{at}.effect", effect, EFFECTS))


def validate_gates(spec: Fields, path: str, errors: Errors) -> None:
    """`schedulingGates` and `readinessGates`; `path` is that of the pod's spec."""
    seen: set[str] = set()
    for index, gate in enumerate(spec.get("schedulingGates") or ()):
        at, name = f"{path}.schedulingGates[{index}]", gate.get("name") or ""
        check_label_key(name, at, errors)
        if name in seen:
            errors.append(duplicate_value(at, name))
        seen.add(name)
    for index, gate in enumerate(spec.get("readinessGates") or ()):
        at = f"{path}.readinessGates[{index}].conditionType"
        check_label_key(gate.get("conditionType") or "", at, errors)


def validate_group(spec: Fields, path: str, errors: Errors) -> None:
    """`schedulingGroup`: the pod group a pod belongs to."""
    group = spec.get("schedulingGroup")
    if group is None:
        return
    name, at = group.get("podGroupName"), f"{path}.schedulingGroup"
    if name is None:
        errors.append(required(at, "must specify one of: `podGroupName`"))
    else:
        check(dns1123_subdomain_errors, name, f"{at}.podGroupName", errors)


def validate_spread(constraints: Sequence[Fields], path: str, errors: Errors) -> None:
    """`topologySpreadConstraints`."""
    places = [(c.get("topologyKey") or "", c.get("whenUnsatisfiable") or "") for c in constraints]
    last = {place: index for index, place in enumerate(places)}
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        key, when = places[index]
        skew = constraint.get("maxSkew") or 0
        if skew <= 0:
            errors.append(invalid_value(f"{at}.maxSkew", skew, NOT_POSITIVE))
        if not key:
            errors.append(required(f"{at}.topologyKey", "can not be empty"))
        check_choice(when, _WHEN, f"{at}.whenUnsatisfiable", errors)
        if last[key, when] > index:
            errors.append(duplicate_value(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {when}}}"))
        domains = constraint.get("minDomains")
        if domains is not None:
            if domains <= 0:
                errors.append(invalid_value(f"{at}.minDomains", domains, NOT_POSITIVE))
            if when != "DoNotSchedule":
                detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"
                errors.append(invalid_value(f"{at}.minDomains", domains, detail))
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(field) is not None:
                check_choice(constraint[field], _INCLUSION, f"{at}.{field}", errors)
        selector = constraint.get("labelSelector")
        validate_label_keys(constraint, ("matchLabelKeys",), at, errors)
        errors.extend(validate_label_selector(selector, f"{at}.labelSelector"))


def validate_label_keys(term: Fields, fields: Sequence[str], path: str, errors: Errors) -> None:
    """Keys whose values come from the pod itself (`matchLabelKeys` ...).

    On a pod they have been merged into the selector when they are checked, so one that the selector
    holds twice was also given by hand.
    """
    selector = term.get("labelSelector")
    for field in fields:
        keys = term.get(field) or ()
        if keys and selector is None:
            detail = "must not be specified when labelSelector is not set"
            errors.append(forbidden_value(f"{path}.{field}", detail))
            continue
        for index, key in enumerate(keys):
            check(qualified_name_errors, key, f"{path}.{field}[{index}]", errors)
    if selector is None:
        return
    wanted = {key: index for index, key in enumerate(term.get("matchLabelKeys") or ())}
    seen = set(selector.get("matchLabels") or ())
    for expression in selector.get("matchExpressions") or ():
        key = expression.get("key")
        if key in wanted and key in seen:
            detail = "exists in both matchLabelKeys and labelSelector"
            errors.append(invalid_value(f"{path}[{wanted[key]}]", key, detail))
        seen.add(key)
    unwanted = set(term.get("mismatchLabelKeys") or ())
    for key, index in wanted.items():
        if key in unwanted:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.append(invalid_value(f"{path}.matchLabelKeys[{index}]", key, detail))
