"""The controller of PodDisruptionBudgets: counts their pods and writes what that leaves room for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from wherry.api.core.pod_conditions import is_ready
from wherry.api.core.pods import PODS
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.base import Controller, Environment, NotYet
from wherry.controllers.disruption.plan import (
    count_healthy,
    names_a_number,
    needs_scale,
    plan_evictions,
    plan_failed_status,
    plan_status,
    plan_wanted,
)
from wherry.controllers.disruption.scales import CACHED, NoScale, Scales
from wherry.controllers.disruption.stale import stale_in_s
from wherry.controllers.pod_control import say_no_disruption
from wherry.controllers.selected_pods import SelectedPods
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    controller_of,
    is_deleting,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    split_key,
)
from wherry.objects.selectors import NOTHING, Selector, from_label_selector

log = logging.getLogger(__name__)

UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the "
    "status of the PDB cannot be calculated correctly, which may result in undefined behavior. "
    'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)


POD = "pod "
"""What the keys of pods begin with; those of budgets have no blank."""


class Selected:
    """The pods each budget selects; its selector is read once per version of it.

    A budget whose selector nobody can read selects nothing; its own sync says what is wrong.
    """

    def __init__(self, cache: Cache) -> None:
        self._pods = SelectedPods(cache)
        self._read: dict[str, str] = {}
        cache.on(POD_DISRUPTION_BUDGETS, self._changed)

    def of_labels(self, namespace: str, labels: Sequence[Mapping[str, str]]) -> set[str]:
        """The keys of the namespace's budgets that select any of these labels."""
        return {key for each in labels for key in self._pods.selecting(namespace, each)}

    async def pods_of(self, budget: Object) -> list[Object]:
        """The pods the budget selects. Raises ValueError for a selector nobody can read."""
        selector_of(budget)
        return await self._pods.pods_of(key_of(budget))

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            self._read.pop(key_of(old or {}), None)
            self._pods.forget(key_of(old or {}))
            return
        key, wanted = key_of(new), repr((new.get("spec") or {}).get("selector"))
        if self._read.get(key) == wanted:
            return
        self._read[key] = wanted
        try:
            selector = selector_of(new)
        except ValueError as error:
            log.warning("the selector of budget %s cannot be read: %s", key, error)
            selector = NOTHING
        self._pods.follow(key, namespace_of(new), selector)


def selector_of(budget: Object) -> Selector:
    """The pods a budget is about: with an empty selector all of the namespace, without one none.

    Raises ValueError.
    """
    return from_label_selector((budget.get("spec") or {}).get("selector"))


def _facts(pod: Object) -> tuple[object, ...]:
    """All of a pod a budget's status depends on."""
    return labels_of(pod), is_ready(pod), is_deleting(pod), controller_of(pod)


class Disruption(Controller):
    """Writes the status of budgets, and takes back what pods say of disruptions that never came."""

    name = "disruption"
    account = "disruption-controller"
    component = "controllermanager"
    primary = POD_DISRUPTION_BUDGETS

    def __init__(self, environment: Environment) -> None:
        self._selected = Selected(environment.cache)
        self._scales = Scales(environment.cache, environment.client, environment.config)
        super().__init__(environment)

    def watch_sources(self) -> None:
        """Beside budgets: pods and the workloads whose size counts, through the budgets that select them."""
        super().watch_sources()
        self._watch(PODS, self._pod_to_keys)
        for resource in CACHED:
            self._watch(resource, self._workload_to_budgets)

    def _pod_to_keys(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A pod's event concerns the budgets that select it, or did, and the pod if it is to be disrupted."""
        if new is not None and stale_in_s(new, self.clock.now()) is not None:
            yield POD + key_of(new)
        if old is not None and new is not None and _facts(old) == _facts(new):
            return
        namespace, labels = namespace_of(new or old or {}), [labels_of(pod) for pod in (old, new) if pod]
        if new is not None:
            self._tell_of_many(new, self._selected.of_labels(namespace, labels[-1:]))
        yield from self._selected.of_labels(namespace, labels)

    def _tell_of_many(self, pod: Object, keys: Collection[str]) -> None:
        """Warn of a pod that several budgets select: nobody can evict it."""
        if len(keys) > 1:
            named = f'Pod "{namespace_of(pod)}"/"{name_of(pod)}" matches multiple PodDisruptionBudgets.'
            message = f'{named}  Chose "{split_key(min(keys))[1]}" arbitrarily.'
            self.events.event(pod, WARNING, "MultiplePodDisruptionBudgets", message)

    def _workload_to_budgets(self, _: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A workload of another size concerns the budgets that select its pods (by its template)."""
        before, after = ((obj or {}).get("spec") or {} for obj in (old, new))
        if before.get("replicas") != after.get("replicas"):
            template = (after or before).get("template") or {}
            yield from self._selected.of_labels(namespace_of(new or old or {}), [labels_of(template)])

    async def sync(self, key: str) -> float | None:
        """Write the budget's status, or that it cannot be worked out; or look at a pod's condition."""
        if key.startswith(POD):
            return await self._sync_pod(key.removeprefix(POD))
        return await self._sync_budget(key)

    async def _sync_pod(self, key: str) -> float | None:
        pod = self.cache.get(PODS, key)
        left_s = stale_in_s(pod, self.clock.now()) if pod is not None else None
        if pod is None or left_s is None or left_s > 0:
            return left_s
        await say_no_disruption(self.client, self.clock, pod)
        return None

    async def _sync_budget(self, key: str) -> float | None:
        budget = self.cache.get(POD_DISRUPTION_BUDGETS, key)
        if budget is None:
            self.rests.note(key, 0)
            return None
        try:
            pods = await self._selected.pods_of(budget)
        except ValueError as error:
            self.events.event(budget, WARNING, "NoPods", f"Failed to get pods: {error}")
            await self.write_status(budget, plan_failed_status(budget, str(error), self.clock.now()))
            return None  # until its selector is another
        self.rests.note(key, len(pods))
        try:
            return await self._write(budget, pods)
        except (NoScale, ValueError) as error:
            message = f"Failed to calculate the number of expected pods: {error}"
            self.events.event(budget, WARNING, "CalculateExpectedPodCountFailed", message)
            await self.write_status(budget, plan_failed_status(budget, str(error), self.clock.now()))
            raise NotYet(message) from error
        except ApiError as error:
            if error.code != 409:
                await self.write_status(budget, plan_failed_status(budget, str(error), self.clock.now()))
            raise

    async def _write(self, budget: Object, pods: list[Object]) -> float | None:
        if not pods:
            self.events.event(budget, NORMAL, "NoPods", "No matching pods found")
        expected = len(pods) if names_a_number(budget) else 0
        if needs_scale(budget):
            expected, unmanaged = await self._scales.expected(pods)
            if unmanaged:
                text = UNMANAGED.format(selector_of(budget))
                self.events.event(budget, WARNING, "UnmanagedPods", text)
        now = self.clock.now()
        evictions = plan_evictions(budget, pods, now)
        for pod in evictions.overdue:
            message = f"Pod was expected by PDB {key_of(budget)} to be deleted but it wasn't"
            self.events.event(pod, WARNING, "NotDeleted", message)
        status = plan_status(
            budget,
            healthy=count_healthy(pods, evictions.pending),
            wanted=plan_wanted(budget, expected),
            expected=expected,
            pending=evictions.pending,
            now=now,
        )
        await self.write_status(budget, status)
        return evictions.recheck_s
