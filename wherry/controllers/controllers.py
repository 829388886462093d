"""Starting and stopping all controllers over one shared cache."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.controllers.base import Controller, Environment
from wherry.controllers.config import ControllerConfig
from wherry.kit.clock import Clock
from wherry.kit.guests import async_guest, guest
from wherry.kit.tasks import Tasks

log = logging.getLogger(__name__)


class Controllers:
    """All controllers of one cluster.

    `client_for(account)` gives the client a controller acts with, by its service account in kube-system: the
    caller's choice is whether they are that (upstream's `--use-service-account-credentials`) or all one user.
    "" asks for the controller manager itself, whose is the cache they share. `kinds` are the controllers to
    run, `installed` those of installed packages, each of which begins after the others, once `grant` has
    given it its rights: none of what it does or fails to do keeps anybody else from working.
    """

    def __init__(
        self,
        client_for: Callable[[str], Client],
        clock: Clock,
        random: Random,
        config: ControllerConfig,
        kinds: Sequence[type[Controller]],
        installed: Sequence[type[Controller]] = (),
        grant: Callable[[type[Controller]], Awaitable[None]] | None = None,
    ) -> None:
        self.cache = Cache(client_for(""), clock, random=random)
        self._recorders: list[EventRecorder] = []
        self._kept: dict[Any, Any] = {}
        self._client_for = client_for
        self._clock = clock
        self._random = random
        self._config = config
        self.controllers = [self._make(kind) for kind in kinds if not kind.is_beta]
        self._later = [kind for kind in kinds if kind.is_beta]
        self._installed = tuple(installed)
        self._grant = grant
        self._beginning = Tasks("controllers of beta versions")
        self._tasks = Tasks("installed controllers", may_end_process=False)

    def _make(self, kind: type[Controller]) -> Controller:
        client = self._client_for(kind.account)
        events = EventRecorder(client, self._clock, kind.component or f"{kind.name}-controller")
        self._recorders.append(events)
        environment = Environment(
            client, self.cache, self._clock, self._random, self._config, events, self._kept
        )
        return kind(environment)

    async def _begin(self, kind: type[Controller]) -> None:
        """Have a controller of a beta version work as soon as that is served, if ever."""
        controller = self._make(kind)
        await self.cache.informer(kind.primary).wait_synced()
        await controller.start()
        self.controllers.append(controller)

    async def _add(self, kind: type[Controller]) -> None:
        """Have an installed controller work, as soon as what it watches is known."""
        try:
            if self._grant is not None:
                await self._grant(kind)
            with guest(f"the installed controller {kind.name}"):
                controller = self._make(kind)
            self.controllers.append(controller)
            for resource in (kind.primary, *kind.watches):
                await self.cache.informer(resource).wait_synced()
            with async_guest(f"the installed controller {kind.name}"):
                await controller.start()
        except Exception:
            log.exception("the installed controller %s does not run", kind.name)
        else:
            log.info("the installed controller %s runs", kind.name)

    async def start(self) -> None:
        """Fill the cache, then let every controller work; returns when all do."""
        await self.cache.start()
        for controller in self.controllers:
            await controller.start()
        log.info("%d controllers run", len(self.controllers))
        for kind in self._later:
            self._beginning.spawn(self._begin(kind), kind.name)
        for kind in self._installed:
            self._tasks.spawn(self._add(kind), kind.name)

    async def close(self) -> None:
        """Stop every controller, write the events that wait, and stop the cache."""
        await self._tasks.close()
        await self._beginning.close()
        await asyncio.gather(*(controller.close() for controller in self.controllers))
        await asyncio.gather(*(recorder.close() for recorder in self._recorders))
        await self.cache.close()
