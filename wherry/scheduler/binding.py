"""The binding cycle: a pod that was decided and reserved for is prepared and bound; a failure undoes it all
(`Binder`).

The pod counts to its node from the decision on ("assumed", upstream's cache); the watch confirms it.
Binding writes the node's name only if the pod has none, so whatever other schedulers do beside, no pod is
bound twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of, namespace_of
from wherry.scheduler.extenders import Extender
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Plugin, SchedulingError
from wherry.scheduler.guard import in_time
from wherry.scheduler.profiles import Profile
from wherry.scheduler.world import World

log = logging.getLogger(__name__)

MOST_UNDER_WAY = 64
"""So many bindings wait for the API server at most: others want something of it too."""


LOOK_AGAIN_S = 5.0
"""After so long a binding that is held up is looked at again."""


class _Turn:
    """One of the bindings that are under way."""

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._is_on = True

    async def begin(self) -> None:
        """Go on as soon as there is room."""
        await self._room.acquire()
        self._is_on = True

    def end(self) -> None:
        """Make room for another, if not done yet."""
        if self._is_on:
            self._is_on = False
            self._room.release()


class Outcome(Protocol):
    """Whom the binder tells."""

    def bound(self, pod: PodFacts, node: str) -> None:
        """It is done."""
        ...

    def held_up(self, pod: PodFacts, node: str) -> None:
        """It waits for others."""
        ...

    def is_there(self, pod: PodFacts) -> bool:
        """Whether the pod is still to be bound."""
        ...

    def not_bound(self, pod: PodFacts, why: str) -> None:
        """It is undone; `why` is "" when others were faster, and the watch will say so."""
        ...


class Binder:
    """Binds pods, so many at a time."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        world: World,
        outcome: Outcome,
        extenders: Sequence[Extender] = (),
    ) -> None:
        self._client = client
        self._clock = clock
        self._world = world
        self._extenders = tuple(extender for extender in extenders if extender.binds)
        self._outcome = outcome
        self._room = asyncio.Semaphore(MOST_UNDER_WAY)

    async def room(self) -> None:
        """Return when one more binding may begin."""
        await self._room.acquire()

    async def bind(self, profile: Profile, pod: PodFacts, node: str) -> None:
        """Bind one pod, reserved for, for which `room` was waited; whatever fails is told, not raised."""
        reserved, turn = profile.binding, _Turn(self._room)
        try:
            for plugin in profile.binding:
                work = plugin.pre_bind(pod, node, self._world, self._client)
                await in_time(plugin, work, self._clock)
            for plugin in profile.holding:
                await self._wait_for(plugin, pod, node, turn)
            await self._send(pod, node)
        except (ApiError, SchedulingError) as error:
            log.info("binding %s failed: %s", pod.key, error)
            is_overtaken = isinstance(error, ApiError) and error.code in (404, 409)
            await self._undo(reserved, pod, node, "" if is_overtaken else f"binding rejected: {error}")
        except Exception as error:  # the pod would stay assumed, and wait for ever
            log.exception("binding %s failed", pod.key)
            await self._undo(reserved, pod, node, f"binding rejected: {error!r}")
        else:
            self._outcome.bound(pod, node)
        finally:
            turn.end()

    async def _wait_for(self, plugin: Plugin, pod: PodFacts, node: str, turn: _Turn) -> None:
        """Return when nothing holds the binding up any more; others may be bound meanwhile.

        Raises SchedulingError when that will never be.
        """
        since = self._clock.now()
        if not plugin.is_held_up(pod, node, self._world, since):
            return
        self._outcome.held_up(pod, node)
        turn.end()
        while plugin.is_held_up(pod, node, self._world, since):
            if not self._outcome.is_there(pod):
                raise SchedulingError("the pod is gone")
            await self._clock.sleep(LOOK_AGAIN_S)
        await turn.begin()

    async def _send(self, pod: PodFacts, node: str) -> None:
        namespace, name = namespace_of(pod.pod), name_of(pod.pod)
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": node},
        }
        for extender in self._extenders:
            if extender.is_interested(pod):
                await extender.bind(pod, node)
                return
        await self._client.create_subresource(PODS, name, namespace, "binding", binding)

    async def reserve(self, profile: Profile, pod: PodFacts, node: str, world: World) -> None:
        """Take what the pod needs beside its node, or nothing. Raises SchedulingError."""
        for number, plugin in enumerate(profile.binding):
            try:
                plugin.reserve(pod, node, world)
            except SchedulingError:
                await self.unreserve(profile.binding[:number], pod, node, world)
                raise

    async def unreserve(self, reserved: Sequence[Plugin], pod: PodFacts, node: str, world: World) -> None:
        """Give back what was reserved; what fails is only logged."""
        for plugin in reversed(reserved):
            try:
                work = plugin.unreserve(pod, node, world, self._client)
                await in_time(plugin, work, self._clock)
            except Exception:
                log.exception("%s did not give back what it reserved for %s", plugin.name, pod.key)

    async def _undo(self, reserved: Sequence[Plugin], pod: PodFacts, node: str, why: str) -> None:
        await self.unreserve(reserved, pod, node, self._world)
        self._outcome.not_bound(pod, why)
