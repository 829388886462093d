"""Resources of the pod as a whole (`spec.resources`), and how they bound those of its containers."""

from __future__ import annotations

from typing import Any

from wherry.api.core.pod_resources import Amounts, aggregate_limits, aggregate_requests
from wherry.api.core.pod_spec.resources import HUGE_PAGES, is_pod_level, validate_resources
from wherry.api.core.pod_spec.rules import Errors, Fields
from wherry.objects.errors import forbidden_value, invalid_value
from wherry.objects.quantity import canonical_quantity, format_quantity, parse_quantity

_OVERCOMMITTED = ("cpu", "memory")


def default_pod_level_resources(spec: dict[str, Any]) -> None:
    """Fill `spec.resources`, if given in part, from its own limits and from the containers, in place.

    Limits on huge pages follow the containers; requests follow the containers, or else the limits; other
    limits follow the containers when all have one.
    """
    resources = spec.get("resources")
    if not resources or not (resources.get("limits") or resources.get("requests")):
        return
    try:
        asked, bounded = aggregate_requests(spec), aggregate_limits(spec)
    except ValueError:
        return  # validation names the amount
    requests = dict(resources.get("requests") or {})
    limits = {**_huge_pages(bounded, requests), **(resources.get("limits") or {})}
    if limits:
        resources["limits"] = limits
        for name, amount in asked.items():
            if name in _OVERCOMMITTED:
                requests.setdefault(name, format_quantity(amount, _form(name)))
        for name, limit in limits.items():
            requests.setdefault(name, limit)
        resources["requests"] = requests
    elif requests:
        containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        found = {
            name: format_quantity(amount, _form(name))
            for name, amount in bounded.items()
            if name in _OVERCOMMITTED
            and all(name in ((c.get("resources") or {}).get("limits") or ()) for c in containers)
        }
        if found:
            resources["limits"] = found


def _huge_pages(bounded: Amounts, requests: Fields) -> dict[str, str]:
    """The containers' limits on huge pages, where the pod does not request some itself."""
    return {
        name: format_quantity(amount, "binary")
        for name, amount in bounded.items()
        if name.startswith(HUGE_PAGES) and name not in requests
    }


def _form(name: str) -> str:
    return "decimal" if name == "cpu" else "binary"


def validate_pod_level_resources(spec: Fields, path: str, errors: Errors) -> None:
    """Add what is wrong with `spec.resources`, given that `path`."""
    resources = spec["resources"]
    if resources.get("claims") is not None:
        detail = "claims cannot be set for Resources at pod-level"
        errors.append(forbidden_value(f"{path}.claims", detail))
    before = len(errors)
    own = {field: resources.get(field) for field in ("limits", "requests")}
    validate_resources(own, path, frozenset(), errors, pod_level=True)
    if len(errors) > before:
        return
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name, needed in aggregate_requests(spec).items():
        if not is_pod_level(name):
            continue
        asked = requests.get(name, "0")
        if needed > parse_quantity(asked):
            detail = (
                "must be greater than or equal to aggregate container requests of "
                f"{format_quantity(needed, _form(name))}"
            )
            errors.append(invalid_value(f"{path}.requests[{name}]", canonical_quantity(asked), detail))
    for index, container in enumerate(spec.get("containers") or ()):
        for name, limit in ((container.get("resources") or {}).get("limits") or {}).items():
            most = limits.get(name)
            if most is not None and parse_quantity(limit) > parse_quantity(most):
                detail = f"must be less than or equal to pod limits of {canonical_quantity(most)}"
                at = f"{path}.containers[{index}][{name}].limits"
                errors.append(invalid_value(at, canonical_quantity(limit), detail))
