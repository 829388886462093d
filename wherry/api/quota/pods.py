"""Pods against a quota: how many there are, and the compute resources they ask for.

A pod that has ended, or should be gone by now, only counts as an object (`count/pods`): its
resources are free for others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from wherry.api.core.pod_resources import held_limits, held_requests, qos_class
from wherry.api.quota.amounts import ONE, Amounts, read_amounts
from wherry.api.quota.evaluator import CREATE, UPDATE, CountEvaluator, Scope, count_name
from wherry.objects.meta import Object, later, metadata, parse_time
from wherry.objects.selectors import Requirement

_NOTHING: Mapping[str, Any] = {}
_COUNT = count_name("", "pods")
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_NAMES = frozenset(
    {"pods", _COUNT, *_COMPUTE, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _COMPUTE)}
)
_DEMANDED = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
"""What every container has to say once a quota limits it; later resources need not be said."""
_HUGE_PAGES = "hugepages-"
_REQUESTS = "requests."
LONGEST_GRACE_S = 2**31
"""A grace period may be any number of 64 bits; a time that long after another there is not."""
_ENDED = ("Succeeded", "Failed")
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class PodEvaluator(CountEvaluator):
    """See the module."""

    def __init__(self) -> None:
        super().__init__("", "pods")

    def handles(self, subresource: str, operation: str) -> bool:
        """Creations and resizes."""
        return (subresource, operation) in (("", CREATE), ("resize", UPDATE))

    def matching(self, names: Iterable[str]) -> list[str]:
        """Compute resources, huge pages, extended resources, and the two counts."""
        return [name for name in names if name in _NAMES or _is_huge(name) or _is_extended(name)]

    def usage(self, obj: Object, now: datetime) -> Amounts:
        """What the pod asks for, and still has while it is resized, as long as it counts."""
        counted = {_COUNT: ONE}
        if is_counted(obj, now):
            counted |= _compute(held_requests(obj), held_limits(obj))
        return counted

    def in_scope(self, obj: Object, scope: Scope) -> bool:
        """Whether the pod is of the scope."""
        spec = obj.get("spec") or _NOTHING
        name = scope.get("scopeName")
        if name in ("Terminating", "NotTerminating"):
            ends = (spec.get("activeDeadlineSeconds") or 0) >= 0 and (
                spec.get("activeDeadlineSeconds") is not None
            )
            return ends is (name == "Terminating")
        if name in ("BestEffort", "NotBestEffort"):
            return (qos_class(obj) == "BestEffort") is (name == "BestEffort")
        if name == "PriorityClass":
            return _has_priority(spec.get("priorityClassName") or "", scope)
        return name == "CrossNamespacePodAffinity" and _reaches_out(spec.get("affinity") or _NOTHING)

    def problem(self, obj: Object, names: Iterable[str]) -> str:
        """Which containers do not say what they need."""
        demanded = _DEMANDED.intersection(names)
        if not demanded:
            return ""
        spec = obj.get("spec") or _NOTHING
        missing: dict[str, set[str]] = {}
        whole = _compute(*_resources(spec))
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            said = _compute(*_resources(container)).keys() | whole.keys()
            for name in demanded - said:
                missing.setdefault(name, set()).add(container.get("name") or "")
        if not missing:
            return ""
        parts = [f"{name} for: {','.join(sorted(missing[name]))}" for name in sorted(missing)]
        return f"must specify {'; '.join(parts)}"


def is_counted(pod: Object, now: datetime) -> bool:
    """Whether the pod's resources are its own still: it has not ended and is not overdue."""
    if ((pod.get("status") or _NOTHING).get("phase")) in _ENDED:
        return False
    due = released_at(pod)
    return due is None or now <= due


def released_at(pod: Object) -> datetime | None:
    """When a deleted pod's resources are taken for free even if it is still there; None if never."""
    meta = metadata(pod)
    grace_s = meta.get("deletionGracePeriodSeconds")
    if not meta.get("deletionTimestamp") or grace_s is None:
        return None
    return later(parse_time(meta["deletionTimestamp"]), min(grace_s, LONGEST_GRACE_S))


def _resources(holder: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    resources = holder.get("resources") or _NOTHING
    return read_amounts(resources.get("requests")), read_amounts(resources.get("limits"))


def _compute(requests: Mapping[str, Decimal], limits: Mapping[str, Decimal]) -> Amounts:
    used: Amounts = {"pods": ONE}
    for name in _COMPUTE:
        if name in requests:
            used[name] = used[_REQUESTS + name] = requests[name]
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    for name, amount in requests.items():
        if name.startswith(_HUGE_PAGES):
            used[name] = used[_REQUESTS + name] = amount
        elif _is_foreign(name):
            used[_REQUESTS + name] = amount
    return used


def _is_huge(name: str) -> bool:
    return name.startswith((_HUGE_PAGES, _REQUESTS + _HUGE_PAGES))


def _is_extended(name: str) -> bool:
    """Extended resources cannot be overcommitted, so only their requests are limited."""
    return name.startswith(_REQUESTS) and _is_foreign(name)


def _is_foreign(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name


def _has_priority(class_name: str, scope: Scope) -> bool:
    operator = scope.get("operator") or "Exists"
    if operator == "Exists":
        return bool(class_name)
    labels = {"PriorityClass": class_name} if class_name else {}
    values = frozenset(scope.get("values") or ())
    return Requirement("PriorityClass", _OPERATORS[operator], values).matches(labels)


def _reaches_out(affinity: Mapping[str, Any]) -> bool:
    """Whether an affinity term is about pods of other namespaces."""
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or _NOTHING
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        terms += [
            weighted.get("podAffinityTerm") or _NOTHING
            for weighted in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
