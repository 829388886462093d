"""What pods are told of their scheduling: events, the PodScheduled condition, the nominated node
(`Reporter`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.events import NORMAL, WARNING, EventRecorder
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, metadata, name_of, namespace_of, revision_of
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.victims import BY_SCHEDULER

log = logging.getLogger(__name__)

UNSCHEDULABLE = "Unschedulable"
SCHEDULER_ERROR = "SchedulerError"
FAILED = "FailedScheduling"


class Preemptor(NamedTuple):
    """Whom room is made for: `kind` is "pod" or "podgroup", `place` the node, or "cluster" for a group."""

    kind: str
    uid: str
    priority: int
    place: str


class Reporter:
    """Tells pods of one scheduler name. `current` gives a pod's latest known state, None if it is gone."""

    def __init__(
        self, client: Client, clock: Clock, name: str, current: Callable[[PodFacts], Object | None]
    ) -> None:
        self._name = name
        self._client = client
        self._clock = clock
        self._current = current
        self._events = EventRecorder(client, clock, name)

    async def close(self) -> None:
        """Write the events that wait, and end."""
        await self._events.close()

    def scheduled(self, pod: PodFacts, node: str) -> None:
        """It is bound."""
        self._events.event(pod.pod, NORMAL, "Scheduled", f"Successfully assigned {pod.key} to {node}")

    def held_up(self, pod: PodFacts, node: str) -> None:
        """Devices are prepared for it."""
        text = f"waiting for binding conditions for device on node {node}"
        self._events.event(pod.pod, NORMAL, "BindingConditionsPending", text)

    async def failed(
        self, pod: PodFacts, message: str, reason: str = UNSCHEDULABLE, nominated: str | None = None
    ) -> None:
        """It fits nowhere, or could not be bound; `nominated` is the node it may hope for (None: as
        before).
        """
        self._events.event(pod.pod, WARNING, FAILED, message)
        current = self._current(pod)
        if current is None or (current.get("spec") or {}).get("nodeName"):
            return
        status = self._failure(current, message, reason)
        before = (current.get("status") or {}).get("nominatedNodeName") or ""
        if nominated is not None and nominated != before:
            status["nominatedNodeName"] = nominated or None
        # A binding that failed may have been done all the same, or by others: nothing is said against it.
        version = revision_of(current) if reason == SCHEDULER_ERROR else ""
        if status:
            await self._patch(pod, status, version)

    async def clear_nomination(self, pod: PodFacts) -> None:
        """The pod may not hope for its nominated node any more."""
        await self._patch(pod, {"nominatedNodeName": None})

    async def doom(self, victim: PodFacts, by: Preemptor) -> None:
        """Say in a victim's status why it goes. Raises ApiError, but not if it is gone."""
        current = self._current(victim) or victim.pod
        conditions = (current.get("status") or {}).get("conditions") or ()
        if any(c.get("type") == "DisruptionTarget" and c.get("reason") == BY_SCHEDULER for c in conditions):
            return
        condition = self._condition(
            current,
            "DisruptionTarget",
            "True",
            BY_SCHEDULER,
            f"{self._name}: preempting to accommodate a higher priority {by.kind}",
        )
        await self._write(victim, {"conditions": [condition]})

    def preempted(self, victim: PodFacts, by: Preemptor) -> None:
        """It was deleted to make room."""
        text = f"Preempted by {by.kind} {by.uid} on node {by.place}"
        self._events.event(victim.pod, NORMAL, "Preempted", text)

    def _failure(self, current: Object, message: str, reason: str) -> dict[str, Any]:
        condition = self._condition(current, "PodScheduled", "False", reason, message)
        for known in (current.get("status") or {}).get("conditions") or ():
            if known.get("type") != "PodScheduled":
                continue
            told = ("status", "reason", "message")
            if all(known.get(field) == condition[field] for field in told):
                return {}
            if known.get("status") == "False":
                condition["lastTransitionTime"] = known.get("lastTransitionTime")
        return {"conditions": [condition]}

    def _condition(self, pod: Object, kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
        generation = metadata(pod).get("generation")
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": format_time(self._clock.now()),
            **({"observedGeneration": generation} if generation else {}),
        }

    async def _patch(self, pod: PodFacts, status: dict[str, Any], version: str = "") -> None:
        """Write a status, with `version` only if that is still the pod's."""
        try:
            await self._write(pod, status, version)
        except ApiError as error:
            log.warning("status of %s not written: %s", pod.key, error)

    async def _write(self, pod: PodFacts, status: dict[str, Any], version: str = "") -> None:
        only = {"resourceVersion": version} if version else {}
        try:
            await self._client.patch(
                PODS,
                name_of(pod.pod),
                namespace_of(pod.pod),
                {"metadata": {"uid": pod.uid, **only}, "status": status},
                content_type=STRATEGIC_PATCH,
                subresource="status",
            )
        except ApiError as error:
            if error.code != 404:
                raise
