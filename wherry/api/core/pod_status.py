"""A pod's status: how it begins, and what a node may not report."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_resources import qos_class
from wherry.api.core.pod_spec.rules import Errors, Fields, check, check_label_key
from wherry.api.validation import validate_immutable, validate_non_negative
from wherry.objects.errors import FieldError, duplicate_value, forbidden_value, invalid_value
from wherry.objects.meta import Object
from wherry.objects.names import dns1123_subdomain_errors, ip_errors, user_or_group_id_errors
from wherry.objects.repeats import repeated

_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")
_NOTHING: Mapping[str, Any] = {}


def initial_status(pod: Object) -> dict[str, Any]:
    """The status of a pod just created: Pending, its quality of service settled for life."""
    status: dict[str, Any] = {"phase": "Pending", "qosClass": _quality(pod)}
    if (pod.get("spec") or _NOTHING).get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    return status


def keep_given(status: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Keep the quality of service and the observed generation where a report leaves them out.

    Kubelets older than these fields drop them.
    """
    for name in ("qosClass", "observedGeneration"):
        if not status.get(name) and before.get(name):
            status[name] = before[name]
    observed = {
        c.get("type"): c["observedGeneration"]
        for c in before.get("conditions") or ()
        if c.get("observedGeneration")
    }
    for at, condition in enumerate(status.get("conditions") or ()):
        if not condition.get("observedGeneration") and condition.get("type") in observed:
            given = {**condition, "observedGeneration": observed[condition.get("type")]}
            status["conditions"] = [*status["conditions"][:at], given, *status["conditions"][at + 1 :]]


def _quality(pod: Object) -> str:
    try:
        return qos_class(pod)
    except ValueError:  # an amount that is no quantity: validation refuses the pod
        return "BestEffort"


def validate_pod_status(new: Object, old: Object) -> list[FieldError]:
    """What is wrong with a pod's status written over the stored pod `old`."""
    errors: Errors = []
    status, before = new.get("status") or {}, old.get("status") or {}
    spec = old.get("spec") or {}
    errors.extend(validate_non_negative("status.observedGeneration", status.get("observedGeneration")))
    _validate_claim_statuses(status.get("resourceClaimStatuses") or (), spec, errors)
    for index, condition in enumerate(status.get("conditions") or ()):
        name = condition.get("type") or ""
        if name not in _SYSTEM_CONDITIONS:
            check_label_key(name, f"metadata.conditions[{index}].Type", errors)
    if (new.get("spec") or {}).get("nodeName") != spec.get("nodeName"):
        errors.append(forbidden_value("status.nodeName", "may not be changed directly"))
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        check(dns1123_subdomain_errors, nominated, "status.nominatedNodeName", errors)
    errors.extend(validate_immutable("status.qosClass", status.get("qosClass"), before.get("qosClass")))
    _validate_transitions(status, before, spec, errors)
    _validate_ips(status.get("podIPs") or (), "status.podIPs", errors)
    host_ips = status.get("hostIPs") or ()
    if host_ips and status.get("hostIP") != host_ips[0].get("ip"):
        detail = "must be equal to `hostIP`"
        errors.append(invalid_value("status.hostIPs[0].ip", host_ips[0].get("ip") or "", detail))
    _validate_ips(host_ips, "status.hostIPs", errors)
    is_windows = ((spec.get("os") or _NOTHING).get("name")) == "windows"
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for index, container in enumerate(status.get(field) or ()):
            user = (container.get("user") or _NOTHING).get("linux")
            if user is not None:
                _validate_user(user, f"status.{field}[{index}].linux", is_windows, errors)
    return errors


def _validate_user(user: Fields, path: str, is_windows: bool, errors: Errors) -> None:
    """Whom a container's first process belongs to."""
    if is_windows:
        errors.append(forbidden_value(path, "cannot be set for a windows pod"))
        return
    numbers = {f"{path}.uid": user.get("uid"), f"{path}.gid": user.get("gid")}
    for index, group in enumerate(user.get("supplementalGroups") or ()):
        numbers[f"{path}.supplementalGroups[{index}]"] = group
    for at, number in numbers.items():
        if number is not None:
            errors.extend([invalid_value(at, number, text) for text in user_or_group_id_errors(number)])


def _validate_claim_statuses(statuses: Sequence[Fields], spec: Fields, errors: Errors) -> None:
    """What became of the pod's claims, each once, by the names the spec gives them."""
    known = {claim.get("name") for claim in spec.get("resourceClaims") or ()}
    names = [entry.get("name") or "" for entry in statuses]
    twice = dict(repeated(names))
    for index, entry in enumerate(statuses):
        at = f"status.resourceClaimStatuses[{index}]"
        if names[index] not in known:
            detail = "must match the name of an entry in `spec.resourceClaims`"
            errors.append(invalid_value(f"{at}.name", names[index], detail))
        if index in twice:
            errors.append(duplicate_value(f"{at}.name", names[index]))
        if (made := entry.get("resourceClaimName")) is not None:
            check(dns1123_subdomain_errors, made, f"{at}.name", errors)


def _validate_transitions(status: Fields, before: Fields, spec: Fields, errors: Errors) -> None:
    """A container that ended for good may not be reported as alive again."""
    policy = spec.get("restartPolicy") or "Always"
    for field, source, fallback in (
        ("containerStatuses", "containers", policy),
        ("initContainerStatuses", "initContainers", policy),
        ("ephemeralContainerStatuses", "", "Never"),
    ):
        own = {c.get("name"): c for c in (spec.get(source) or () if source else ())}
        after = {c.get("name"): c for c in status.get(field) or ()}
        for index, old in enumerate(before.get(field) or ()):
            ended = (old.get("state") or _NOTHING).get("terminated")
            new = after.get(old.get("name"))
            if ended is None or new is None:
                continue
            container = own.get(old.get("name")) or _NOTHING
            if _may_restart(container, fallback, ended):
                continue
            if (new.get("state") or _NOTHING).get("terminated") is None:
                detail = "may not be transitioned to non-terminated state"
                errors.append(forbidden_value(f"status.{field}[{index}].state", detail))


def _may_restart(container: Fields, pod_policy: str, ended: Fields) -> bool:
    policy = container.get("restartPolicy") or pod_policy
    if policy == "Always" or container.get("restartPolicyRules"):
        return True
    return policy == "OnFailure" and bool(ended.get("exitCode"))


def _validate_ips(entries: Sequence[Fields], path: str, errors: Errors) -> None:
    """Valid addresses, at most one of each family."""
    ips = [entry.get("ip") or "" for entry in entries]
    for index, ip in enumerate(ips):
        check(ip_errors, ip, f"{path}[{index}]", errors)
    if len(ips) < 2 or any(ip_errors(ip) for ip in ips):
        return
    families = {ipaddress.ip_address(ip).version for ip in ips}
    if len(ips) > 2 or len(families) < 2:
        detail = "may specify no more than one IP for each IP family"
        errors.append(invalid_value(path, list(entries), detail))
    seen: set[str] = set()
    for index, ip in enumerate(ips):
        if ip in seen:
            errors.append(duplicate_value(f"{path}[{index}]", entries[index]))
        seen.add(ip)
