"""Whether devices that have to be prepared for a node are ready (KEP-5007): what their drivers say in the
claim, about the conditions its allocation names. Pure.

Source: pkg/scheduler/framework/plugins/dynamicresources (isClaimReadyForBinding, isClaimTimeout).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wherry.objects.conditions import is_true
from wherry.objects.meta import Object, name_of, parse_time

LONGEST_S = 600.0
"""So long a binding waits for devices if nothing else is configured (`bindingTimeout`)."""


def _results(claim: Object) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Each allocated device with conditions, and what its driver says of it."""
    status = claim.get("status") or {}
    told = {_id(one): one for one in status.get("devices") or ()}
    for result in ((status.get("allocation") or {}).get("devices") or {}).get("results") or ():
        if result.get("bindingConditions"):
            yield result, told.get(_id(result))


def _id(device: Mapping[str, Any]) -> tuple[Any, ...]:
    return device.get("driver"), device.get("pool"), device.get("device")


def has_conditions(claim: Object) -> bool:
    """Whether any device of the claim has to be waited for."""
    return any(True for _ in _results(claim))


def failure_of(claim: Object) -> str:
    """Why a device will not become ready, "" if none says so."""
    for result, told in _results(claim):
        if told is None:
            return ""
        wanted = result.get("bindingFailureConditions") or ()
        for condition in told.get("conditions") or ():
            if condition.get("type") in wanted and condition.get("status") == "True":
                why = f'reason={condition.get("reason")}, message="{condition.get("message") or ""}"'
                return f"claim {name_of(claim)} binding failed: {why}"
        if not _is_prepared(result, told):
            return ""
    return ""


def is_ready(claim: Object) -> bool:
    """Whether all devices of the claim are ready."""
    return all(told is not None and _is_prepared(result, told) for result, told in _results(claim))


def _is_prepared(result: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    conditions = told.get("conditions")
    return all(is_true(conditions, kind) for kind in result["bindingConditions"])


def is_overdue(claim: Object, now: datetime, longest_s: float) -> bool:
    """Whether devices that are not ready should have been by now."""
    allocated = ((claim.get("status") or {}).get("allocation") or {}).get("allocationTimestamp")
    if not allocated or not has_conditions(claim):
        return False
    return (now - parse_time(allocated)).total_seconds() > longest_s


def is_hopeless(claim: Object, now: datetime, longest_s: float) -> bool:
    """Whether the claim is better given other devices: these failed, or took too long."""
    return bool(failure_of(claim)) or (not is_ready(claim) and is_overdue(claim, now, longest_s))
