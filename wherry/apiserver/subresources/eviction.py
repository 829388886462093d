"""`pods/eviction`: a deletion that asks the disruption budgets first.

A budget without room answers 429, and clients such as `kubectl drain` try again later. Room taken is
noted in the budget's status, so that two evictions at once cannot both have the last of it.
"""

from __future__ import annotations

from dataclasses import replace

from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.apiserver.admission.base import CREATE, Attributes
from wherry.apiserver.body import read_object
from wherry.apiserver.cached import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.options import DeleteOptions, delete_options
from wherry.apiserver.registry import Served
from wherry.apiserver.rewrite import Overtaken, rewrite, swap
from wherry.apiserver.subresources.disruption import (
    RETRY_AFTER_S,
    lets_unhealthy_go,
    marked_as_evicted,
    may_start,
    needs_no_budget,
    note_disruption,
    still_processed,
)
from wherry.apiserver.verbs.delete import check_preconditions, delete_object
from wherry.objects.errors import ApiError, bad_request, not_found, server_timeout
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.selectors import from_label_selector

EVICTED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
MANY_BUDGETS = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)


async def eviction(core: Core, call: Call, served: Served) -> Outcome:
    """Evict the pod; 201. Raises ApiError (404, 429, 500)."""
    wanted = await read_object(core, call, served.resource, "policy/v1", "Eviction", also=("policy/v1beta1",))
    info = call.info
    name = name_of(wanted)
    if name != info.name:
        raise bad_request("name in URL does not match name in Eviction object")
    cached = served.get(info.namespace, info.name)
    if cached is None:
        raise not_found("pods", "", info.name)
    pod = cached.decode()
    options = delete_options(call.query, wanted.get("deleteOptions"))
    dry_run = options.dry_run or call.is_dry_run
    attributes = Attributes.of(core, call, served, CREATE, wanted, pod)
    attributes.dry_run = dry_run
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    options = replace(delete_options(call.query, wanted.get("deleteOptions")), dry_run=dry_run)
    await _evict(core, call, served, options)
    return Outcome(obj=dict(EVICTED), status=201)


async def _evict(core: Core, call: Call, served: Served, options: DeleteOptions) -> None:
    """Let the pod go if the budgets do. Raises ApiError (404, 409, 429, 500)."""

    async def attempt(cached: Cached) -> None:
        pod = cached.decode()
        if not needs_no_budget(pod):
            await _evict_by_budget(core, call, served, pod, options)
            return
        if options.resource_version or not may_start(pod):
            await _remove(core, call, served, options)
            return
        try:
            await _remove(core, call, served, _as_seen(options, pod))
        except ApiError as error:
            current = served.get(call.info.namespace, call.info.name)
            if error.code != 409 or current is cached:
                raise
            raise Overtaken(current) from error  # it may have started meanwhile: then the budgets are asked

    await rewrite(served, call.info.namespace, call.info.name, attempt)


async def _evict_by_budget(
    core: Core, call: Call, served: Served, pod: Object, options: DeleteOptions
) -> None:
    spared_by = await _take_room(core, pod, options.dry_run)
    if not spared_by or options.resource_version:
        await _remove(core, call, served, options)
        return
    try:
        await _remove(core, call, served, _as_seen(options, pod))
    except ApiError as error:
        if error.code != 409:
            raise
        raise still_processed(spared_by) from error  # it may be ready now


def _as_seen(options: DeleteOptions, pod: Object) -> DeleteOptions:
    """The options, for the very version of the pod that was looked at."""
    return replace(options, resource_version=pod["metadata"]["resourceVersion"])


async def _remove(core: Core, call: Call, served: Served, options: DeleteOptions) -> None:
    if not options.dry_run:
        options = await _mark(core, call, served, options)
    await delete_object(core, call, served, call.info.name, options, is_admitted=True)


async def _take_room(core: Core, pod: Object, dry_run: bool) -> str:
    """Note the disruption in the pod's budget; the budget's name if it lets the pod go without, as unhealthy.

    Raises ApiError (429, 500, 504).
    """
    budgets = core.registry.of(POD_DISRUPTION_BUDGETS)
    await budgets.source.open()
    found = _budgets_of(budgets, pod)
    if not found:
        return ""
    if len(found) > 1:
        raise ApiError(500, "", MANY_BUDGETS)
    name = found[0].name

    async def attempt(cached: Cached) -> str:
        budget = cached.decode()
        if lets_unhealthy_go(budget, pod):
            return name
        changed = note_disruption(budget, name_of(pod), core.timestamp())
        if not dry_run:
            await swap(core, budgets, cached, changed)
        return ""

    why = f'couldn\'t update PodDisruptionBudget "{name}" due to conflicts'
    exhausted = server_timeout(why, RETRY_AFTER_S)
    return await rewrite(budgets, found[0].namespace, name, attempt, exhausted=exhausted)


def _budgets_of(budgets: Served, pod: Object) -> list[Cached]:
    found = []
    for cached in budgets.cacher.list(pod["metadata"]["namespace"])[0]:
        selector = (cached.decode().get("spec") or {}).get("selector")
        if selector is not None and _selects(selector, pod):
            found.append(cached)
    return found


def _selects(selector: Object, pod: Object) -> bool:
    try:
        return from_label_selector(selector).matches(labels_of(pod))
    except ValueError:
        return False  # whoever stored it let it in; the budget's status says so


async def _mark(core: Core, call: Call, served: Served, options: DeleteOptions) -> DeleteOptions:
    """Note on the pod why it goes; the options with the version that came of it, if they name one."""
    info = call.info

    async def attempt(cached: Cached) -> DeleteOptions:
        pod = cached.decode()
        check_preconditions(served, cached, pod, options)
        marked = marked_as_evicted(pod, core.timestamp())
        await swap(core, served, cached, marked, is_mark=True)
        if options.resource_version:
            return replace(options, resource_version=marked["metadata"]["resourceVersion"])
        return options

    return await rewrite(served, info.namespace, info.name, attempt)
