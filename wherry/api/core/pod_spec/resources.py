"""Requests and limits: names that mean something, amounts that fit, requests within limits."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from wherry.api.core.pod_spec.rules import NOT_INTEGER, Errors, Fields, check
from wherry.api.validation.values import NEGATIVE
from wherry.kit.remembered import remembered
from wherry.objects.errors import (
    FieldError,
    duplicate_value,
    forbidden_value,
    invalid_value,
    listed,
    not_supported,
    required,
    show_value,
)
from wherry.objects.names import dns1123_label_errors, qualified_name_errors
from wherry.objects.quantity import Quantity, canonical_quantity, is_multiple, is_whole, parse_quantity

CONTAINER_RESOURCES = frozenset(("cpu", "memory", "ephemeral-storage"))
POD_LEVEL_RESOURCES = ("cpu", "hugepages-", "memory")
HUGE_PAGES = "hugepages-"

COUNTED_RESOURCES = frozenset(
    (
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
_STANDARD = (
    CONTAINER_RESOURCES
    | COUNTED_RESOURCES
    | {"storage", "requests.storage"}
    | {f"{kind}.{name}" for kind in ("requests", "limits") for name in CONTAINER_RESOURCES}
)


@remembered(1024)
def is_native(name: str) -> bool:
    """Whether the resource is Kubernetes' own: unprefixed, or under kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


@remembered(1024)
def is_extended(name: str) -> bool:
    """Whether the name can be that of somebody else's resource, as `nvidia.com/gpu`."""
    return (
        not is_native(name)
        and not name.startswith("requests.")
        and not qualified_name_errors(f"requests.{name}")
    )


@remembered(1024)
def may_overcommit(name: str) -> bool:
    """Whether limits may exceed requests: not for huge pages and extended resources."""
    return is_native(name) and not name.startswith(HUGE_PAGES)


def is_standard(name: str) -> bool:
    """Whether an unprefixed name is that of a resource Kubernetes knows."""
    return name in _STANDARD or name.startswith((HUGE_PAGES, f"requests.{HUGE_PAGES}"))


@remembered(1024)
def resource_name_errors(name: str) -> tuple[str, ...]:
    """What is wrong with the name of a resource of a container."""
    if wrong := qualified_name_errors(name):
        return tuple(wrong)
    errors: list[str] = []
    if "/" not in name:
        if not is_standard(name):
            errors.append("must be a standard resource type or fully qualified")
        if name not in CONTAINER_RESOURCES and not name.startswith(HUGE_PAGES):
            errors.append("must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        errors.append("doesn't follow extended resource name standard")
    return tuple(errors)


@remembered(4096)
def quantity_errors(name: str, amount: Quantity) -> tuple[str, ...]:
    """What is wrong with an amount of a resource, wherever one stands."""
    try:
        value = parse_quantity(amount)
    except ValueError as error:
        return (str(error),)
    errors: list[str] = []
    if value < 0:
        errors.append(NEGATIVE)
    if (name in COUNTED_RESOURCES or is_extended(name)) and not is_whole(value):
        errors.append(NOT_INTEGER)
    return tuple(errors)


@remembered(4096)
def _amount_errors(name: str, amount: Quantity) -> tuple[str, ...]:
    """What is wrong with an amount of a resource that a container asks for."""
    errors = quantity_errors(name, amount)
    if not name.startswith(HUGE_PAGES) or errors:
        return errors
    if not _divides(name, parse_quantity(amount)):
        return (f"{canonical_quantity(amount)} is not positive integer multiple of {name}",)
    return ()


def _divides(name: str, value: Decimal) -> bool:
    try:
        size = parse_quantity(name.removeprefix(HUGE_PAGES))
    except ValueError:
        return False
    return size > 0 and is_multiple(value, size)


def validate_resources(
    resources: Fields, path: str, claims: frozenset[str], errors: Errors, pod_level: bool = False
) -> None:
    """A `ResourceRequirements`; `claims` are the names of the pod's resource claims."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            _validate_amount(name, amount, f"{path}.{kind}[{name}]", pod_level, errors)
    for name, amount in requests.items():
        _validate_request(name, amount, limits.get(name), path, errors)
    names = limits.keys() | requests.keys()
    if any(name.startswith(HUGE_PAGES) for name in names) and not names & {"cpu", "memory"}:
        errors.append(forbidden_value(path, "HugePages require cpu or memory"))
    if used := resources.get("claims"):
        _validate_claims(used, f"{path}.claims", claims, errors)


def is_pod_level(name: str) -> bool:
    """Whether a pod as a whole can ask for a resource; devices and scratch space its containers ask for."""
    return name in ("cpu", "memory") or name.startswith(HUGE_PAGES)


def _validate_amount(name: str, amount: Quantity, path: str, pod_level: bool, errors: Errors) -> None:
    wrong = resource_name_errors(name)
    if wrong:
        errors.extend([invalid_value(path, name, text) for text in wrong])
    elif pod_level and not is_pod_level(name):
        errors.append(not_supported(path, name, POD_LEVEL_RESOURCES))
    errors.extend([invalid_value(path, amount, text) for text in _amount_errors(name, amount)])


def _validate_request(name: str, amount: Quantity, limit: Quantity | None, path: str, errors: Errors) -> None:
    if limit is None:
        if not may_overcommit(name):
            errors.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        return
    try:
        asked, most = parse_quantity(amount), parse_quantity(limit)
    except ValueError:
        return  # already named
    if asked != most and not may_overcommit(name):
        how = "equal to"
    elif asked > most:
        how = "less than or equal to"
    else:
        return
    detail = f"must be {how} {name} limit of {canonical_quantity(limit)}"
    errors.append(invalid_value(f"{path}.requests", canonical_quantity(amount), detail))


def _validate_claims(used: list[Fields], path: str, claims: frozenset[str], errors: Errors) -> None:
    """Each use names a claim of the pod, and no claim or request of one twice."""
    seen: set[str] = set()
    requests: Counter[str] = Counter()
    known = f": {listed(sorted(claims))}" if claims else " which is empty"
    for index, claim in enumerate(used):
        at, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            errors.append(required(at))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            errors.append(duplicate_value(at, name))
        else:
            if request:
                check(dns1123_label_errors, request, f"{at}.request", errors)
            if key in seen:
                errors.append(duplicate_value(at, key))
            elif not request:
                errors.extend([duplicate_value(at, name) for _ in range(requests[name])])
            else:
                requests[name] += 1
            seen.add(key)
        if name not in claims:
            detail = f"must be one of the names in pod.spec.resourceClaims{known}"
            text = f"Not found: {show_value(name)}: {detail}"
            errors.append(FieldError("FieldValueNotFound", at, text))
