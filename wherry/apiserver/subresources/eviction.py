"""`pods/eviction`: a deletion that asks the disruption budgets first.

A budget without room answers 429, and clients such as `kubectl drain` try again later. Room taken is
noted in the budget's status, so that two evictions at once cannot both have the last of it.
"""

from __future__ import annotations

from dataclasses import replace

from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.apiserver.admission.base import CREATE, Attributes
from wherry.apiserver.body import private_copy, read_object
from wherry.apiserver.cacher import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import delete_options
from wherry.apiserver.registry import Served
from wherry.apiserver.verbs.delete import delete_object
from wherry.apiserver.verbs.write import Unfounded, swap
from wherry.objects.errors import ApiError, bad_request, internal, not_found, too_many_requests
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.selectors import from_label_selector

ATTEMPTS = 16
RETRY_AFTER_S = 10
MAX_DISRUPTED_PODS = 2000
EVICTED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
MANY_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)
DENIED = "Cannot evict pod as it would violate the pod's disruption budget."


async def eviction(core: Core, call: Call, served: Served) -> Outcome:
    """Evict the pod; 201. Raises ApiError (404, 429, 500)."""
    wanted = read_object(call, served.resource, "policy/v1", "Eviction", also=("policy/v1beta1",))
    info = call.info
    name = name_of(wanted)
    if name and name != info.name:
        raise bad_request("name in URL does not match name in Eviction object")
    cached = served.get(info.namespace, info.name)
    if cached is None:
        raise not_found("pods", "", info.name)
    pod = cached.decode()
    options = delete_options(call.query, wanted.get("deleteOptions"))
    dry_run = options.dry_run or call.is_dry_run
    options = replace(options, dry_run=dry_run)
    attributes = Attributes(
        core,
        CREATE,
        served.resource,
        "eviction",
        info.namespace,
        info.name,
        call.user,
        wanted,
        pod,
        dry_run,
        call.warnings,
        call,
    )
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    if not _needs_no_budget(pod):
        await _take_room(core, pod, dry_run)
    await delete_object(core, call, served, info.name, options, is_admitted=True)
    return Outcome(obj=dict(EVICTED), status=201)


def _needs_no_budget(pod: Object) -> bool:
    """Pods that have not started, are done or are going anyway disrupt nothing."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


async def _take_room(core: Core, pod: Object, dry_run: bool) -> None:
    budgets = core.registry.of(POD_DISRUPTION_BUDGETS)
    await budgets.source.open()
    for _ in range(ATTEMPTS):
        found = _budgets_of(budgets, pod)
        if not found:
            return
        if len(found) > 1:
            raise internal(MANY_BUDGETS)
        cached, budget = found[0]
        if budget.get("spec", {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow" and not _is_ready(pod):
            return
        changed = note_disruption(budget, name_of(pod), core.timestamp())
        if dry_run:
            return
        try:
            await swap(core, budgets, cached, changed)
        except Unfounded:
            continue
        return
    raise _denied("too many evictions at once")


def _budgets_of(budgets: Served, pod: Object) -> list[tuple[Cached, Object]]:
    found = []
    for cached in budgets.cacher.list(pod["metadata"]["namespace"])[0]:
        budget = cached.decode()
        selector = (budget.get("spec") or {}).get("selector")
        if selector is not None and from_label_selector(selector).matches(labels_of(pod)):
            found.append((cached, budget))
    return found


def note_disruption(budget: Object, pod_name: str, now: str) -> Object:
    """The budget after one more eviction. Raises ApiError (429) when it has no room for it."""
    status = budget.get("status") or {}
    name = name_of(budget)
    if (status.get("observedGeneration") or 0) < (budget["metadata"].get("generation") or 0):
        raise _denied(f"The disruption budget {name} is still being processed by the server.")
    allowed = status.get("disruptionsAllowed") or 0
    if allowed <= 0 or len(status.get("disruptedPods") or ()) > MAX_DISRUPTED_PODS:
        raise _denied(
            f"The disruption budget {name} needs {status.get('desiredHealthy') or 0} healthy pods and has "
            f"{status.get('currentHealthy') or 0} currently",
        )
    changed = private_copy(budget)
    changed["status"] = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**(status.get("disruptedPods") or {}), pod_name: now},
    }
    result: Object = changed
    return result


def _denied(why: str) -> ApiError:
    error = too_many_requests(DENIED, RETRY_AFTER_S)
    error.details["causes"] = [{"reason": "DisruptionBudget", "message": why}]
    return error


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
