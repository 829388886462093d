"""What a disruption budget says to an eviction: pure decisions, `eviction` carries them out.

Source: pkg/registry/core/pod/storage/eviction.go (checkAndDecrement).
"""

from __future__ import annotations

from wherry.objects.conditions import find_condition, is_true, with_condition
from wherry.objects.errors import ApiError, forbidden, too_many_requests
from wherry.objects.meta import Object, name_of

MAX_DISRUPTED_PODS = 2000
RETRY_AFTER_S = 10
DENIED = "Cannot evict pod as it would violate the pod's disruption budget."
CAUSE = "DisruptionBudget"
SPARED_PHASES = frozenset({"Succeeded", "Failed", "Pending"})


def needs_no_budget(pod: Object) -> bool:
    """Pods that have not started, are done or are going anyway disrupt nothing."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in SPARED_PHASES or bool(pod["metadata"].get("deletionTimestamp"))


def may_start(pod: Object) -> bool:
    """Whether the pod has not started, and could do so at any moment."""
    is_pending = (pod.get("status") or {}).get("phase") == "Pending"
    return is_pending and not pod["metadata"].get("deletionTimestamp")


def lets_unhealthy_go(budget: Object, pod: Object) -> bool:
    """Whether the pod may go without taking room, because it is not ready anyway.

    Always if the budget's policy says so; otherwise while enough others are healthy.
    """
    status = budget.get("status") or {}
    if is_true((pod.get("status") or {}).get("conditions"), "Ready"):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = status.get("desiredHealthy") or 0
    return desired > 0 and (status.get("currentHealthy") or 0) >= desired


def note_disruption(budget: Object, pod_name: str, now: str) -> Object:
    """The budget (not changed) after one more eviction.

    Raises ApiError: 429 when it has no room, or has not been worked out yet; 403 when it makes no sense.
    """
    status = budget.get("status") or {}
    name = name_of(budget)
    generation = status.get("observedGeneration") or 0
    if generation < (budget["metadata"].get("generation") or 0):
        raise still_processed(name)
    allowed = status.get("disruptionsAllowed") or 0
    if allowed < 0:
        raise forbidden("poddisruptionbudget", "policy", name, "pdb disruptions allowed is negative")
    disrupted = status.get("disruptedPods") or {}
    if len(disrupted) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden("poddisruptionbudget", "policy", name, why)
    if allowed == 0:
        # No advice to come back: clients would wait inside the request instead of telling their user.
        raise _denied(_why_none(name, status), 0)
    changed = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, pod_name: now}}
    if allowed == 1:
        changed["conditions"] = with_condition(
            status.get("conditions"),
            "DisruptionAllowed",
            "False",
            now,
            "InsufficientPods",
            observedGeneration=generation,
        )
    return {**budget, "metadata": dict(budget["metadata"]), "status": changed}


def _why_none(name: str, status: Object) -> str:
    """Why a budget has no room. What it counted is not to be trusted where that failed."""
    desired, current = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    told = find_condition(status.get("conditions"), "DisruptionAllowed") or {}
    reason, message = told.get("reason"), told.get("message") if told.get("status") == "False" else ""
    denial = f"The disruption budget {name} does not allow evicting pods currently"
    if message and reason == "SyncFailed":
        return f"{denial} because it failed sync: {message}"
    if current <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
    return f"{denial} ({reason}): {message}" if message else denial


def still_processed(budget_name: str) -> ApiError:
    """429: what the budget says is not up to date; a client that comes again in a while is told."""
    why = f"The disruption budget {budget_name} is still being processed by the server."
    return _denied(why, RETRY_AFTER_S)


def _denied(why: str, retry_after_s: int) -> ApiError:
    error = too_many_requests(DENIED, retry_after_s)
    error.details["causes"] = [{"reason": CAUSE, "message": why}]
    return error


def marked_as_evicted(pod: Object, now: str) -> Object:
    """The pod (not changed) with the condition that tells why it goes."""
    status = pod.get("status") or {}
    conditions = with_condition(
        status.get("conditions"),
        "DisruptionTarget",
        "True",
        now,
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
    return {**pod, "metadata": dict(pod["metadata"]), "status": {**status, "conditions": conditions}}
