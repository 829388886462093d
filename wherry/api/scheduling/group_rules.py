"""What Workloads and PodGroups must fulfil together: policies, disruption modes, claims, names.

Everything is pure and returns `FieldError`s. Paths are written out, `spec.schedulingPolicy.gang`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.api.validation import check_text, validate_label_name
from wherry.objects.errors import FieldError, duplicate_value, invalid_value, required, too_many
from wherry.objects.meta import Object
from wherry.objects.names import dns1123_label_errors, dns1123_subdomain_errors

MAX_TOPOLOGY_CONSTRAINTS = 1
MAX_CLAIMS = 4
DISABLED = ("schedulingConstraints", "resourceClaims", "preemptionPolicy", "parentCompositePodGroupName")
"""Fields of features that are off (TopologyAwareWorkloadScheduling, DRAWorkloadResourceClaims,
PodGroupPreemptionPolicy, CompositePodGroup): nobody heeds them, so they are not taken over.
"""


def drop_disabled(new: Any, old: Any) -> None:
    """Take what nobody heeds out of the part a group's spec and its template have in common; what `old` has
    already stays.
    """
    for field in DISABLED:
        if isinstance(new, dict) and not (old or {}).get(field):
            new.pop(field, None)


def exactly_one(path: str, value: Mapping[str, Any] | None, members: Sequence[str]) -> list[FieldError]:
    """Of the fields `members` of a union one must be given, and no other."""
    given = [name for name in members if (value or {}).get(name) is not None]
    listed = ", ".join(f"`{name}`" for name in members)
    if not given:
        return [invalid_value(path, "", f"must specify one of: {listed}")]
    if len(given) > 1:
        shown = "{" + ", ".join(f"`{name}`" for name in given) + "}"
        return [
            invalid_value(path, shown, f"exactly one of {listed} is required, but multiple fields are set")
        ]
    return []


def at_least_one(path: str, value: int | None) -> list[FieldError]:
    """The number must be given and be 1 or more; 0 counts as not given."""
    if not value:
        return [required(path)]
    return [] if value > 0 else [invalid_value(path, value, "must be greater than or equal to 1")]


def group_errors(path: str, group: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the part a PodGroup's spec and its template have in common."""
    policy = group.get("schedulingPolicy")
    at = f"{path}.schedulingPolicy"
    errors = exactly_one(at, policy, ("basic", "gang")) if policy is not None else [required(at)]
    if not errors and (policy or {}).get("gang") is not None:
        errors += at_least_one(f"{at}.gang.minCount", (policy or {})["gang"].get("minCount"))
    return errors + _shared_errors(path, group) + _claim_errors(f"{path}.resourceClaims", group)


def composite_errors(path: str, template: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with a template of groups of groups, those inside included."""
    policy = template.get("schedulingPolicy")
    at = f"{path}.schedulingPolicy"
    errors = exactly_one(at, policy, ("basic", "gang")) if policy is not None else [required(at)]
    if not errors and (policy or {}).get("gang") is not None:
        errors += at_least_one(f"{at}.gang.minGroupCount", (policy or {})["gang"].get("minGroupCount"))
    errors += _shared_errors(path, template)
    if not template.get("podGroupTemplates") and not template.get("compositePodGroupTemplates"):
        listed = "`compositePodGroupTemplates`, `podGroupTemplates`"
        errors.append(invalid_value(path, "", f"must specify at least one of: {listed}"))
    return errors + template_errors(path, template)


MAX_TEMPLATES = 8


def template_errors(path: str, owner: Mapping[str, Any]) -> list[FieldError]:
    """What is wrong with the two lists of templates `owner` has at `path`."""
    errors: list[FieldError] = []
    kinds: tuple[tuple[str, Callable[[str, Mapping[str, Any]], list[FieldError]]], ...] = (
        ("podGroupTemplates", group_errors),
        ("compositePodGroupTemplates", composite_errors),
    )
    for field, check in kinds:
        templates = owner.get(field) or ()
        if len(templates) > MAX_TEMPLATES:
            errors.append(too_many(f"{path}.{field}", len(templates), MAX_TEMPLATES))
            continue
        errors += _names_errors(f"{path}.{field}", templates)
        for index, template in enumerate(templates):
            errors += check(f"{path}.{field}[{index}]", template)
    return errors


def _shared_errors(path: str, group: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    if group.get("disruptionMode") is not None:
        errors += exactly_one(f"{path}.disruptionMode", group["disruptionMode"], ("all", "single"))
    if name := group.get("priorityClassName"):
        errors += check_text(f"{path}.priorityClassName", name, dns1123_subdomain_errors)
    constraints = (group.get("schedulingConstraints") or {}).get("topology") or ()
    at = f"{path}.schedulingConstraints.topology"
    if len(constraints) > MAX_TOPOLOGY_CONSTRAINTS:
        errors.append(too_many(at, len(constraints), MAX_TOPOLOGY_CONSTRAINTS))
    for index, constraint in enumerate(constraints):
        if key := constraint.get("key"):
            errors += validate_label_name(key, f"{at}[{index}].key")
    return errors


def _claim_errors(path: str, group: Mapping[str, Any]) -> list[FieldError]:
    claims = group.get("resourceClaims") or ()
    if len(claims) > MAX_CLAIMS:
        return [too_many(path, len(claims), MAX_CLAIMS)]
    errors = _names_errors(path, claims)
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        errors += exactly_one(at, claim, ("resourceClaimName", "resourceClaimTemplateName"))
        for field in ("resourceClaimName", "resourceClaimTemplateName"):
            if claim.get(field) is not None:
                errors += check_text(f"{at}.{field}", claim[field], dns1123_subdomain_errors)
    return errors


def _names_errors(path: str, items: Sequence[Object]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name") or ""
        if not name:
            continue  # the schema says so
        errors += check_text(f"{path}[{index}].name", name, dns1123_label_errors)
        if name in seen:
            errors.append(duplicate_value(f"{path}[{index}].name", name))
        seen.add(name)
    return errors


def without_min_count(group: Mapping[str, Any]) -> Object:
    """The group or template without the number of a gang, which alone may change."""
    policy = group.get("schedulingPolicy") or {}
    gang = policy.get("gang")
    if gang is None:
        return dict(group)
    rest = {name: value for name, value in gang.items() if name != "minCount"}
    return {**group, "schedulingPolicy": {**policy, "gang": rest}}
