"""Keep the ServiceCIDR `kubernetes`, which says the range this server gives services addresses of.

Source: pkg/controlplane/controller/defaultservicecidr, which looks every ten seconds; here a change is seen
at once. One of another range stays as it is, and somebody is told: ranges are an administrator's to change.
Only a range of the second IP family is added, when the server was told of one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.ensuring import create_if_missing
from wherry.apiserver.parts import Parts
from wherry.client.api import Client
from wherry.client.events import EventRecorder
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.conditions import find_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, metadata
from wherry.store.base import Subscription

log = logging.getLogger(__name__)

NAME = "kubernetes"
COMPONENT = "kubernetes-service-cidr-controller"
READY = "Ready"
IS_READY = "Kubernetes default Service CIDR is ready"
ERROR = "KubernetesDefaultServiceCIDRError"
INCONSISTENT = "KubernetesDefaultServiceCIDRInconsistent"
WARNING = "Warning"


class DefaultServiceCidr:
    """The object, for the ranges the server was told."""

    def __init__(self, parts: Parts, client: Client) -> None:
        self._parts = parts
        self._client = client
        self._cidrs = list(parts.services.cidrs)
        self._events = EventRecorder(client, parts.clock, COMPONENT)
        self._told: set[str] = set()
        self._feed: Subscription | None = None
        self._tasks = Tasks("the default ServiceCIDR")
        self._repeater = Repeater(
            "the default ServiceCIDR", self.bring_about, self._tasks, parts.clock, expected=(ApiError,)
        )

    async def bring_about(self) -> None:
        """Create it if it is missing; it is ready unless somebody said otherwise. Raises ApiError."""
        served = self._parts.registry.of(SERVICE_CIDRS)
        await served.source.open()
        if served.get("", NAME) is None:
            await create_if_missing(self._client, SERVICE_CIDRS, self._wanted())
        cached = served.get("", NAME)
        if cached is not None:
            await self._settle(served.decode(cached))

    async def follow(self) -> None:
        """From now on do so again whenever it changes."""
        registry = self._parts.registry
        await registry.open((SERVICE_CIDRS,))
        self._feed = registry.follow(SERVICE_CIDRS, self._changed, self._repeater.poke)
        self._repeater.poke()

    async def close(self) -> None:
        """Follow no more."""
        if self._feed is not None:
            self._feed.close()
        await self._repeater.close()
        await self._tasks.close()
        await self._events.close()

    def _changed(self, events: Sequence[CachedEvent]) -> None:
        if any(event.object.name == NAME for event in events):
            self._repeater.poke()

    def _wanted(self) -> Object:
        kind = {"apiVersion": SERVICE_CIDRS.api_version, "kind": SERVICE_CIDRS.kind}
        return {**kind, "metadata": {"name": NAME}, "spec": {"cidrs": self._cidrs}}

    async def _settle(self, present: Object) -> None:
        if metadata(present).get("deletionTimestamp"):
            return
        cidrs = (present.get("spec") or {}).get("cidrs") or []
        conditions = (present.get("status") or {}).get("conditions") or []
        ready = find_condition(conditions, READY) or {}
        # Lists as Go prints them.
        stands, told = (f"[{' '.join(ranges)}]" for ranges in (cidrs, self._cidrs))
        if len(self._cidrs) == 2 and cidrs == self._cidrs[:1]:
            try:
                await self._client.update(SERVICE_CIDRS, {**present, "spec": {"cidrs": self._cidrs}})
            except ApiError as error:
                said = f"can not be upgraded from {cidrs[0]} to dual stack {told} : {error.message}"
                self._tell(present, ERROR, f"The default ServiceCIDR {said}")
                raise
        elif cidrs != self._cidrs:
            self._tell(
                present,
                INCONSISTENT,
                f"The default ServiceCIDR {stands} does not match the controller flag configurations {told}",
            )
        elif ready.get("status") == "False":
            said = f"Configuration matches, but {ready.get('message', '')}"
            self._tell(present, ready.get("reason") or "NotReady", said)
        elif ready.get("status") != "True":
            now = self._parts.timestamp()
            made = {"type": READY, "status": "True", "reason": "", "message": IS_READY}
            others = [one for one in conditions if one.get("type") != READY]
            status = {"conditions": [*others, {**made, "lastTransitionTime": now}]}
            await self._client.update_status(SERVICE_CIDRS, {**present, "status": status})

    def _tell(self, present: Object, reason: str, message: str) -> None:
        """Once for each reason: what is told stays so until somebody acts."""
        if reason not in self._told:
            self._told.add(reason)
            log.warning("ServiceCIDR %s: %s", NAME, message)
            self._events.event(present, WARNING, reason, message)
