"""A control plane put together of its parts, without a process around it: `ControlPlane`.

The server process, `wherry.testing` and the tests are thin users of it, and nothing else wires these parts.
Everything they depend on is an argument: the store, the clock, and the one source of random choices.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING

from wherry.api.decisions.catalog import DECISIONS
from wherry.api.resource import Resource
from wherry.api.serving import ALL, STAGES, select_served
from wherry.apiserver.app import ApiServer
from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.user import AUTHENTICATED, MASTERS, User, service_account_user
from wherry.client.api import IN_PROCESS_WATCH_S, Client
from wherry.client.transport import Transport
from wherry.cluster.grants import INSTALLER, grant
from wherry.cluster.standby import Standby
from wherry.controllers.base import Controller
from wherry.controllers.config import ControllerConfig
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import Clock
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object
from wherry.store.base import TransactingStore

if TYPE_CHECKING:
    from wherry.scheduler.explain.explainer import Explainer
    from wherry.scheduler.scheduler import Scheduler

log = logging.getLogger(__name__)

SCHEDULER_MODULE = "wherry.scheduler.scheduler"
SCHEDULER = "system:kube-scheduler"
CONTROLLER_MANAGER = "system:kube-controller-manager"
MANAGER = "kube-controller-manager"
"""Whose fields they are that controllers write: the process's, whatever account it acts as."""


def _served_beside(switches: Mapping[str, bool]) -> list[Resource]:
    """What an API server serves beside a scheduler; only what holds for all of alpha turns it off."""
    general = {key: on for key, on in switches.items() if key in (ALL, *STAGES)}
    return select_served(DECISIONS, general)


def controller_user(account: str) -> User:
    """Who the controllers with that service account are; "" is for the controller manager itself."""
    if not account:
        return User(CONTROLLER_MANAGER, (AUTHENTICATED,))
    return service_account_user("kube-system", account)


def controller_users(kinds: Iterable[type[Controller]]) -> frozenset[str]:
    """The names of all users that controllers of these kinds are, in one process."""
    return frozenset(controller_user(account).name for account in ("", *(kind.account for kind in kinds)))


def make_controllers(
    transport_as: Callable[[User], Transport],
    clock: Clock,
    random: Random,
    config: ControllerConfig,
    kinds: Sequence[type[Controller]],
    installed: Sequence[type[Controller]] = (),
    grants: Callable[[type[Controller]], Awaitable[None]] | None = None,
) -> Controllers:
    """Controllers of an API server that `transport_as(user)` reaches as that user; see `Controllers`.

    As upstream's `--use-service-account-credentials`: no controller may more than it needs.
    """

    def client_for(account: str) -> Client:
        return _client(transport_as, controller_user(account), MANAGER)

    return Controllers(client_for, clock, random, config, kinds, installed, grants)


def make_scheduler(transport_as: Callable[[User], Transport], clock: Clock, random: Random) -> Scheduler:
    """The scheduler of an API server that `transport_as(user)` reaches as that user."""
    # Imported here: an API server alone need not pay for the scheduler's columns.
    from wherry.scheduler.scheduler import Scheduler

    return Scheduler(_client(transport_as, User(SCHEDULER, (AUTHENTICATED,))), clock, random)


def _client(transport_as: Callable[[User], Transport], user: User, manager: str = "") -> Client:
    """A client in the API server's process; it writes as `manager`, or under the last part of its name."""
    return Client(
        transport_as(user),
        field_manager=manager or user.name.rpartition(":")[2],
        watch_s=IN_PROCESS_WATCH_S,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneConfig:
    """What a control plane is told.

    `controllers` need not say what the API server knows (the resources served, how tokens are signed).
    `kinds` are the controllers that run (`controllers.catalog` has all), `installed` those of installed
    packages (`controllers.installed`). Without `has_scheduler` pods stay where they are put; it is started
    with the first pod or Ready node, with `scheduler_waits` with the first pod (see `standby`).
    """

    api: ApiServerConfig
    controllers: ControllerConfig = field(default_factory=ControllerConfig)
    kinds: Sequence[type[Controller]] = ()
    installed: Sequence[type[Controller]] = ()
    has_scheduler: bool = True
    scheduler_waits: bool = False


class ControlPlane:
    """API server, controllers and scheduler over one store, which it does not close.

    Controllers and scheduler talk to the API server through its local transport: no HTTP, no encoding, but
    each as its own user and with the same authorization as anybody.
    """

    def __init__(
        self, config: ControlPlaneConfig, store: TransactingStore, clock: Clock, random: Random
    ) -> None:
        self.api = ApiServer(config.api, store, clock, random)
        self._config = config
        self._clock = clock
        self._random = random
        self._controllers: Controllers | None = None
        self._scheduler: Standby | None = None
        if config.has_scheduler:
            self.api.core.explains = self
            self.api.core.registry.add(_served_beside(config.api.runtime_config))

    async def decision(self, pod: Object) -> Object:
        """See `apiserver.core.Explains`."""
        return await (await self._explainer()).decision(pod)

    async def what_if(self, pod: Object) -> Object:
        """See `apiserver.core.Explains`."""
        return await (await self._explainer()).what_if(pod)

    async def _explainer(self) -> Explainer:
        if self._scheduler is None:
            raise service_unavailable("the scheduler has not started yet")
        return await self._scheduler.explainer()

    @property
    def controllers(self) -> Controllers:
        """The controllers, once they were started and until they are closed."""
        assert self._controllers is not None, "the controllers do not run"
        return self._controllers

    def _make_controllers(self) -> Controllers:
        core = self.api.core
        told = replace(
            self._config.controllers, resources=core.registry.resources, sign_token=core.tokens.keys.sign
        )
        own = Random(self._random.getrandbits(64))  # noqa: S311 - spreads retries, guards nothing
        return make_controllers(
            self.api.local_transport,
            self._clock,
            own,
            told,
            self._config.kinds,
            self._config.installed,
            self._grant,
        )

    async def _grant(self, kind: type[Controller]) -> None:
        """Give an installed controller the rights it declares."""
        await grant(self.client(INSTALLER, (MASTERS, AUTHENTICATED)), kind)

    def _make_scheduler(self) -> Standby | None:
        if not self._config.has_scheduler:
            return None
        own = Random(self._random.getrandbits(64))  # noqa: S311 - breaks ties, guards nothing

        async def make() -> Scheduler:
            # It takes a tenth of a second or more, in which others are answered.
            if SCHEDULER_MODULE not in sys.modules:
                await asyncio.to_thread(import_module, SCHEDULER_MODULE)
            return make_scheduler(self.api.local_transport, self._clock, own)

        return Standby(
            self.client(SCHEDULER),
            self._clock,
            Random(own.getrandbits(64)),  # noqa: S311 - spreads retries, guards nothing
            make,
            waits_for_pods=self._config.scheduler_waits,
        )

    def client(self, user_name: str, groups: Sequence[str] = (AUTHENTICATED,)) -> Client:
        """A client in this process that acts as that user, and writes under the last part of its name."""
        return _client(self.api.local_transport, User(user_name, tuple(groups)))

    async def start(self, *, listens: bool = True, is_founded: bool = False) -> None:
        """Start everything; see `ApiServer.start`."""
        await self.api.start(listens=listens, is_founded=is_founded)
        await self.start_clients()

    async def start_clients(self) -> None:
        """Start controllers and scheduler (anew, if they were closed); the API server runs already."""
        self._controllers, self._scheduler = self._make_controllers(), self._make_scheduler()
        scheduler = self._scheduler.start() if self._scheduler is not None else asyncio.sleep(0)
        await asyncio.gather(self._controllers.start(), scheduler)
        log.info("controllers run")

    async def close_clients(self) -> None:
        """Stop controllers and scheduler, if they run."""
        running = (self._controllers, self._scheduler)
        self._controllers = self._scheduler = None
        await asyncio.gather(*(part.close() for part in running if part is not None))

    async def close(self, grace_s: float = 0.0) -> None:
        """Stop everything; requests under way have `grace_s` seconds to finish."""
        await self.close_clients()
        await self.api.close(grace_s)
