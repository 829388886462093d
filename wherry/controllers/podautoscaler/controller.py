"""The controller of HorizontalPodAutoscalers: measures every 15 seconds, and scales.

A new or changed autoscaler is looked at at once. A target of no replicas is woken only when the autoscaler
itself put it there: its condition ScaledToZero remembers that (KEP-2021).
Source: pkg/controller/podautoscaler/horizontal.go, reconcileAutoscaler.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.api.resource import Resource
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.base import Controller, Environment
from wherry.controllers.podautoscaler.limits import History, limit
from wherry.controllers.podautoscaler.metrics import Metrics, MetricsError
from wherry.controllers.podautoscaler.pods import Patience
from wherry.controllers.podautoscaler.proposals import Tolerances
from wherry.controllers.podautoscaler.sources import Target, UnknownMetric, ask
from wherry.controllers.selected_pods import SelectedPods
from wherry.objects.conditions import is_true, with_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, key_of, namespace_of, split_key, uid_of
from wherry.objects.quantity import milli
from wherry.objects.selectors import parse_label_selector

log = logging.getLogger(__name__)

ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"
AT_ZERO = "ScaledToZero"
BELOW = "Current number of replicas below Spec.MinReplicas"


class Unmeasured(Exception):
    """No metric says how many replicas there should be; the text is the event's."""


class Look:
    """One look at an autoscaler: what its status will be."""

    def __init__(self, hpa: Object, now: str) -> None:
        self.hpa = hpa
        self.spec: dict[str, Any] = hpa.get("spec") or {}
        self.status: Object = dict(hpa.get("status") or {})
        self._now = now

    def say(self, condition: str, status: str, reason: str, message: str) -> None:
        """Set one condition."""
        conditions = self.status.get("conditions")
        self.status["conditions"] = with_condition(conditions, condition, status, self._now, reason, message)

    @property
    def shown(self) -> Object:
        """The status to be written: an absent list and an empty one are the same to Go."""
        return {name: value for name, value in self.status.items() if value is not None}

    @property
    def least(self) -> int:
        """The fewest replicas that are wanted."""
        least = self.spec.get("minReplicas")
        return 1 if least is None else int(least)

    @property
    def can_measure_none(self) -> bool:
        """Whether a metric says something even when there are no pods."""
        return any(metric.get("type") in ("Object", "External") for metric in self.spec.get("metrics") or ())

    @property
    def left_none(self) -> bool:
        """Whether this autoscaler itself, when it scaled last, left no replica."""
        return is_true(self.status.get("conditions"), AT_ZERO)

    @property
    def may_wake(self) -> bool:
        """Whether a target of no replicas may grow: this autoscaler shrank it, and can tell when."""
        return self.left_none and (self.least > 0 or self.can_measure_none)

    def resized(self, before: int, after: int) -> None:
        """Remember whether it was this autoscaler that left no replica."""
        if before and not after and not self.least and self.can_measure_none:
            self.say(AT_ZERO, "True", "ScaledToZero", "the HPA controller scaled the workload to zero")
        else:
            message = "the HPA controller did not scale the workload to zero"
            self.say(AT_ZERO, "False", "NotScaledToZero", message)

    def count(self, current: int, desired: int, metrics: list[Object] | None, *, is_scaled: bool) -> None:
        """Set the numbers."""
        self.status.update(currentReplicas=current, desiredReplicas=desired, currentMetrics=metrics or None)
        if is_scaled:
            self.status["lastScaleTime"] = self._now


class HorizontalPodAutoscalers(Controller):
    """Keeps the size of what autoscalers refer to where their metrics want it."""

    name = "horizontal-pod-autoscaler"
    account = "horizontal-pod-autoscaler"
    component = "horizontal-pod-autoscaler"
    primary = HORIZONTAL_POD_AUTOSCALERS

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._metrics = Metrics(self.client)
        self._histories: dict[str, History] = {}
        self._selected = SelectedPods(environment.cache)
        self._due: dict[str, float] = {}

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A change of what is wanted is looked at now; our own writes of status are not."""
        if old is not None and new is not None and old.get("spec") == new.get("spec"):
            return ()
        key = key_of(new or old or {})
        self._due.pop(key, None)
        return (key,)

    async def sync(self, key: str) -> float | None:
        """Measure and scale if its time has come; in how many seconds to do so again."""
        hpa = self.cache.get(HORIZONTAL_POD_AUTOSCALERS, key)
        if hpa is None:
            self._forget(key)
            return None
        now = self.clock.monotonic()
        left_s = self._due.get(key, now) - now
        if left_s > 0:
            return left_s
        period_s = self.config.hpa_sync_period_s
        self._due[key] = now + period_s
        look = Look(hpa, format_time(self.clock.now()))
        await self._look(key, look)
        status = look.shown
        try:
            await self.write_status(look.hpa, status)
        except ApiError as error:
            if error.code != 409:
                raise
            # The status is ours alone, and what was done must be told: write it to the newer object.
            namespace, name = split_key(key)
            latest = await self.client.get(HORIZONTAL_POD_AUTOSCALERS, name, namespace)
            if uid_of(latest) == uid_of(hpa):
                await self.write_status(latest, status)
        return period_s

    def _forget(self, key: str) -> None:
        self._histories.pop(key, None)
        self._due.pop(key, None)
        self._selected.forget(key)

    async def _look(self, key: str, look: Look) -> None:
        reference = look.spec.get("scaleTargetRef") or {}
        namespace = namespace_of(look.hpa)
        try:
            resource = self._resource_of(reference.get("apiVersion") or "", reference.get("kind") or "")
            scale = await self.client.get(resource, reference.get("name") or "", namespace, "scale")
        except (ApiError, MetricsError) as error:
            text = error.message if isinstance(error, ApiError) else str(error)
            self.events.event(look.hpa, WARNING, "FailedGetScale", text)
            message = f"the HPA controller was unable to get the target's current scale: {text}"
            look.say(ABLE, "False", "FailedGetScale", message)
            return
        message = "the HPA controller was able to get the target's current scale"
        look.say(ABLE, "True", "SucceededGetScale", message)
        current = (scale.get("spec") or {}).get("replicas") or 0
        history = self._histories.setdefault(key, History())
        history.begin(current, self.clock.monotonic())
        try:
            desired, reason, metrics = await self._decide(key, look, scale, history)
        except Unmeasured as error:
            self.events.event(look.hpa, WARNING, "FailedComputeMetricsReplicas", str(error))
            return
        await self._scale(look, resource, scale, desired, reason, metrics, history)

    async def _decide(
        self, key: str, look: Look, scale: Object, history: History
    ) -> tuple[int, str, list[Object]]:
        """How many replicas there should be now, why, and what the metrics said. Raises Unmeasured."""
        current = (scale.get("spec") or {}).get("replicas") or 0
        least, most = look.least, look.spec.get("maxReplicas") or 0
        if current and look.left_none:  # whoever woke it, also if that could not be told then
            look.resized(current, current)
        if not current and not look.may_wake:
            message = "scaling is disabled since the replica count of the target is zero"
            look.say(ACTIVE, "False", "ScalingDisabled", message)
            return 0, "", []
        if current > most:
            return most, "Current number of replicas above Spec.MaxReplicas", []
        if 0 < current < least:
            return least, BELOW, []
        proposed, name, metrics = await self._measure(key, look, scale)
        reason = f"{name} above target" if proposed > current else ""
        if proposed < current:
            reason = "All metrics below target"
        limited = limit(
            look.spec,
            history,
            current,
            proposed,
            self.clock.monotonic(),
            self.config.hpa_downscale_stabilization_s,
        )
        look.say(ABLE, "True", *limited.able)
        look.say(LIMITED, "True" if limited.is_limited else "False", *limited.limited)
        replicas = max(limited.replicas, least)  # of none, a behavior's rates make nothing
        return replicas, reason or (BELOW if replicas > current else ""), metrics

    async def _scale(
        self,
        look: Look,
        resource: Resource,
        scale: Object,
        desired: int,
        reason: str,
        metrics: list[Object],
        history: History,
    ) -> None:
        current = (scale.get("spec") or {}).get("replicas") or 0
        if desired == current:
            look.count(current, current, metrics, is_scaled=False)
            return
        wanted = {**scale, "spec": {**(scale.get("spec") or {}), "replicas": desired}}
        if not desired:  # said before it is done: who forgets it would never wake it
            look.resized(current, desired)
            look.hpa = await self.write_status(look.hpa, look.shown)
        try:
            await self.client.update(resource, wanted, "scale")
        except ApiError as error:
            text = f"New size: {desired}; reason: {reason}; error: {error.message}"
            self.events.event(look.hpa, WARNING, "FailedRescale", text)
            message = f"the HPA controller was unable to update the target scale: {error.message}"
            look.say(ABLE, "False", "FailedUpdateScale", message)
            before = look.status.get("desiredReplicas") or 0
            look.count(current, before, metrics, is_scaled=False)
            if not desired:
                look.resized(current, current)
            return
        message = f"the HPA controller was able to update the target scale to {desired}"
        look.say(ABLE, "True", "SucceededRescale", message)
        self.events.event(look.hpa, NORMAL, "SuccessfulRescale", f"New size: {desired}; reason: {reason}")
        look.resized(current, desired)
        history.scaled(look.spec.get("behavior"), current, desired, self.clock.monotonic())
        look.count(current, desired, metrics, is_scaled=True)

    async def _measure(self, key: str, look: Look, scale: Object) -> tuple[int, str, list[Object]]:
        """The most replicas a metric asks for, that metric's name, and what all said. Raises Unmeasured."""
        current = (scale.get("spec") or {}).get("replicas") or 0
        before = look.status.get("desiredReplicas") or 0
        try:
            selector, pods = await self._pods_of(key, look, scale)
        except Unmeasured:
            look.count(current, before, None, is_scaled=False)
            raise
        target = Target(
            namespace_of(look.hpa),
            selector,
            pods,
            current,
            (scale.get("status") or {}).get("replicas") or 0,
            self._tolerances(look.spec),
            Patience(self.config.hpa_cpu_initialization_s, self.config.hpa_initial_readiness_s),
            self.clock.now(),
            self._resource_of,
        )
        replicas, name, statuses, failures = 0, "", [], []
        for spec in look.spec.get("metrics") or ():
            try:
                answer = await ask(self._metrics, target, spec)
            except UnknownMetric as error:
                self.events.event(look.hpa, WARNING, error.reason, error.text)
                failures.append(error)
                statuses.append({"type": ""})
                continue
            statuses.append(answer.status)
            if not replicas or answer.replicas > replicas:
                replicas, name = answer.replicas, answer.name
        # What a metric that is lost would have said may be more than the others say, never less.
        if failures and (len(failures) == len(statuses) or replicas < current):
            first = failures[0]
            message = f"the HPA was unable to compute the replica count: {first.text}"
            look.say(ACTIVE, "False", first.reason, message)
            look.count(current, before, statuses, is_scaled=False)
            raise Unmeasured(
                f"invalid metrics ({len(failures)} invalid out of {len(statuses)}), first error is: {first}"
            )
        message = f"the HPA was able to successfully calculate a replica count from {name}"
        look.say(ACTIVE, "True", "ValidMetricFound", message)
        return replicas, name, statuses

    async def _pods_of(self, key: str, look: Look, scale: Object) -> tuple[str, list[Object]]:
        """The selector, and the pods it finds, none of them another autoscaler's. Raises Unmeasured."""
        text = (scale.get("status") or {}).get("selector") or ""
        if not text:
            self.events.event(look.hpa, WARNING, "SelectorRequired", "selector is required")
            look.say(ACTIVE, "False", "InvalidSelector", "the HPA target's scale is missing a selector")
            raise Unmeasured("selector is required")
        try:
            selector = parse_label_selector(text)
        except ValueError as error:
            message = f"couldn't convert selector into a corresponding internal selector object: {error}"
            raise self._bad_selector(look, "InvalidSelector", message) from error
        self._selected.follow(key, namespace_of(look.hpa), selector)
        pods = await self._selected.pods_of(key)
        rivals: set[str] = set()
        for pod in pods:
            rivals |= self._selected.selecting_pod(pod)
            if len(rivals) > 1:
                break
        rivals.discard(key)
        if rivals:
            listed = " ".join(sorted({key, *rivals}))
            message = f"pods by selector {text} are controlled by multiple HPAs: [{listed}]"
            raise self._bad_selector(look, "AmbiguousSelector", message)
        return text, pods

    def _bad_selector(self, look: Look, reason: str, message: str) -> Unmeasured:
        self.events.event(look.hpa, WARNING, reason, message)
        look.say(ACTIVE, "False", reason, message)
        return Unmeasured(message)

    def _tolerances(self, spec: dict[str, Any]) -> Tolerances:
        behavior = spec.get("behavior") or {}
        usual = self.config.hpa_tolerance

        def of(direction: str) -> float:
            said = (behavior.get(direction) or {}).get("tolerance")
            return usual if said is None else milli(said) / 1000

        return Tolerances(of("scaleDown"), of("scaleUp"))

    def _resource_of(self, api_version: str, kind: str) -> Resource:
        """The resource served for a kind, in the version asked for if there are several.

        Raises MetricsError when there is none.
        """
        group, _, version = api_version.rpartition("/")
        found = [one for one in self.config.resources() if (one.group, one.kind) == (group, kind)]
        if not found:
            raise MetricsError(f'no matches for kind "{kind}" in group "{group}"')
        return next((one for one in found if one.version == version), found[0])
