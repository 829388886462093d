"""Starting and stopping all controllers over one shared cache."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.controllers.base import Controller, Environment
from wherry.controllers.config import ControllerConfig
from wherry.kit.clock import Clock

log = logging.getLogger(__name__)


class Controllers:
    """All controllers of one cluster.

    `client_for(account)` gives the client a controller acts with, by its service account in kube-system: the
    caller's choice is whether they are that (upstream's `--use-service-account-credentials`) or all one user.
    "" asks for the controller manager itself, whose is the cache they share. `kinds` are the controllers to
    run.
    """

    def __init__(
        self,
        client_for: Callable[[str], Client],
        clock: Clock,
        random: Random,
        config: ControllerConfig,
        kinds: Sequence[type[Controller]],
    ) -> None:
        self.cache = Cache(client_for(""), clock, random=random)
        self._recorders: list[EventRecorder] = []
        self._kept: dict[Any, Any] = {}
        self.controllers = [
            self._make(kind, client_for(kind.account), clock, random, config) for kind in kinds
        ]

    def _make(
        self,
        kind: type[Controller],
        client: Client,
        clock: Clock,
        random: Random,
        config: ControllerConfig,
    ) -> Controller:
        events = EventRecorder(client, clock, kind.component or f"{kind.name}-controller")
        self._recorders.append(events)
        return kind(Environment(client, self.cache, clock, random, config, events, self._kept))

    async def start(self) -> None:
        """Fill the cache, then let every controller work; returns when all do."""
        await self.cache.start()
        for controller in self.controllers:
            await controller.start()
        log.info("%d controllers run", len(self.controllers))

    async def close(self) -> None:
        """Stop every controller, write the events that wait, and stop the cache."""
        await asyncio.gather(*(controller.close() for controller in self.controllers))
        await asyncio.gather(*(recorder.close() for recorder in self._recorders))
        await self.cache.close()
