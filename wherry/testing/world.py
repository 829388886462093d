"""A whole cluster on one event loop: store, control plane, simulated nodes. All of it runs in that loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from wherry.api.catalog import BUILTIN
from wherry.api.core.nodes import NODES
from wherry.api.core.simulated import is_simulated
from wherry.api.serving import check_switches
from wherry.apiserver.admission.catalog import check_choice
from wherry.apiserver.config import ApiServerConfig, FrontProxyConfig
from wherry.cluster.assembly import (
    CONTROLLER_MANAGER,
    SCHEDULER,
    ControlPlane,
    ControlPlaneConfig,
    controller_users,
)
from wherry.cluster.configured import configured
from wherry.cluster.identities import API_SERVER, API_SERVER_TO_KUBELETS, FRONT_PROXY
from wherry.controllers.base import Controller
from wherry.controllers.catalog import CONTROLLERS, choose_controllers
from wherry.controllers.installed import installed_controllers
from wherry.hollow.rights import USER as SIMULATED_NODES
from wherry.kit.clock import SystemClock
from wherry.kit.memory import uncollected
from wherry.kit.simulated_loop import LoopClock, SimulatedLoop
from wherry.kit.tasks import Tasks
from wherry.store.memory import Image, MemoryStore
from wherry.testing import keys
from wherry.testing.faults.sinks import OpenWatches
from wherry.testing.loop_thread import LONGEST_WAIT_S, ClosedError
from wherry.testing.moment import Moment
from wherry.testing.own_process import OwnProcess
from wherry.testing.settings import ALL, NONE, Settings, SettingsError

if TYPE_CHECKING:
    from wherry.hollow.hollow import HollowNodes
    from wherry.testing.faults.fault import Fault
    from wherry.testing.faults.plan import FaultPlan

ADMIN = "kubernetes-admin"
MASTERS = "system:masters"
OWN_PROCESSES = (controller_users(CONTROLLERS), frozenset({SCHEDULER}), frozenset({SIMULATED_NODES}))
"""The users each of our own processes acts as: what crashes is a process, all its users at once."""
FOUNDING_SEED = "the first objects"
"""No test's seed, which is a number: what is made later must not have the same uids."""
POD_CIDR = "10.244.0.0/16"
ADVERTISED = "192.0.2.1"
"""Where pods would reach the API server: an address for documentation (RFC 5737), since none of them runs."""


class PortError(OSError):
    """The cluster cannot listen on the port it was given."""

    def __init__(self, number: int | None, why: str, port: int) -> None:
        super().__init__(number, why)
        self.port = port

    def __str__(self) -> str:
        return (
            f"the cluster cannot listen on port {self.port}: {self.strerror}; "
            "choose another port=, or 0 for any"
        )


class RestartError(RuntimeError):
    """The cluster could not go on after a fault restarted it: what it holds tells nothing of who uses it."""


class World:
    """One cluster. `open` starts it, `close` ends it; `swap` puts another moment in its place."""

    def __init__(self, settings: Settings, loop: SimulatedLoop) -> None:
        self.settings = settings
        self.loop = loop
        self.clock = LoopClock(loop)
        self.random = Random(settings.seed)  # noqa: S311 - the same choices each time are wanted
        self.store = MemoryStore(self.clock)
        self.plane: ControlPlane | None = None
        self._hollow: HollowNodes | None = None
        self._managers = OwnProcess(
            self.clock, self._start_managers, self._end_managers, self._revive_managers
        )
        self._simulation = OwnProcess(self.clock, self._start_hollow, self._end_hollow, self._revive_hollow)
        self._watches = OpenWatches(self.clock)
        self.faults: FaultPlan | None = None
        """What clients meet, once somebody asked for it."""
        self._is_open = asyncio.Event()
        self._restart: asyncio.Task[None] | None = None
        self._is_restart_due = False
        self._failure: Exception | None = None
        """Why it could not be started again, while nobody's call waited for that."""
        self._tasks = Tasks("test cluster")
        self._port = settings.port
        self.begun = 0
        """The revision its own start ended with: what is of later ones somebody asked for."""

    @property
    def running(self) -> ControlPlane:
        """The control plane."""
        if self.plane is None:
            raise ClosedError("the cluster's control plane does not run, since it could not be started again")
        return self.plane

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self.running.api.url

    async def open(self, moment: Moment | None = None) -> None:
        """Start from `moment`, or as a new cluster. Raises SettingsError."""
        if self.settings.real_time:
            self._follow_real_time()
        with uncollected():
            await self._open(moment)
        self._is_open.set()
        self._restart_if_due()
        await self.quiet()
        self.begun = self.store.revision

    async def _open(self, moment: Moment | None) -> None:
        if moment is None:
            self.store = MemoryStore.from_image(await _founded(self.settings), self.clock)
        else:
            self.loop.set_wall(moment.wall)
            self._catch_up()
            self.store = MemoryStore.from_image(moment.store, self.clock)
            self.random.setstate(moment.random)
        plane = ControlPlane(_config(self.settings, self._port), self.store, self.clock, self.random)
        plane.api.core.outbound.waiting = self.loop.hold
        plane.api.core.interceptor = self.faults
        plane.api.core.watch_tap = self._watches.around
        self.plane = plane  # also when its start fails: `close` ends what had started
        self._tasks = Tasks("test cluster")
        await plane.api.start(listens=False, is_founded=moment is None or moment.is_founded)
        await self._managers.start()
        settings = self.settings
        if settings.nodes or settings.outcomes or settings.stages or self._has_simulated_nodes():
            await self.hollow(is_first=moment is None)

    async def hollow(self, *, is_first: bool = False) -> HollowNodes:
        """Those who play the simulated nodes, started when first asked for.

        Nodes are made when the cluster `is_first` started; later those that are not there were removed.
        """
        await self._simulation.start(is_first=is_first)
        assert self._hollow is not None, "they run"
        return self._hollow

    async def _start_hollow(self, is_first: bool) -> None:
        # Imported here, as with all that not every test needs: it would wait for it to be loaded.
        from wherry.hollow.rights import ensure_rights
        from wherry.testing.nodes import simulated_nodes

        own = Random(self.random.getrandbits(64))  # noqa: S311 - the same choices each time are wanted
        made = simulated_nodes(self.settings, self.running, self.clock, own, self.quiet)
        if is_first and made.stages:  # what needs no stages has its rights from the first start
            await ensure_rights(self.running.client(ADMIN, (MASTERS,)), made.stages)
            await self.quiet()  # until those who authorize know
        await made.start(makes_missing=is_first)
        self._hollow = made

    async def _end_hollow(self) -> None:
        hollow, self._hollow = self._hollow, None
        if hollow is not None:
            await hollow.close()

    def _revive_hollow(self) -> None:
        self._revive(SIMULATED_NODES)

    async def _start_managers(self, _: bool) -> None:
        await self.running.start_clients()

    async def _end_managers(self) -> None:
        if self.plane is not None:
            await self.plane.close_clients()

    def _revive_managers(self) -> None:
        self._revive(CONTROLLER_MANAGER)
        self._revive(SCHEDULER)

    def _has_simulated_nodes(self) -> bool:
        served = self.running.api.core.registry.of(NODES)
        return any(is_simulated(served.decode(cached)) for cached in served.cacher.list("")[0])

    async def listen(self) -> None:
        """Be reachable from outside; from now on time is real. Raises PortError."""
        try:
            await self.running.api.listen()
        except OSError as error:
            raise PortError(error.errno, os.strerror(error.errno or 0), self._port) from error
        self._follow_real_time()
        self._port = self.running.api.port

    def _follow_real_time(self) -> None:
        """Time passes by itself from now on, for whoever is outside and cannot be simulated."""
        self.loop.follow_real_time()
        self._catch_up()

    def _catch_up(self) -> None:
        """Where time is real the date is not before the machine's, unless the test chose another to start at.

        Clients outside compare it with their own: ages, the ends of tokens and of client certificates.
        """
        if not self.loop.is_simulated and self.settings.start is None:
            self.loop.set_wall(max(self.loop.wall(), SystemClock().now()))

    def arm(self, faults: Iterable[Fault]) -> None:
        """Have clients meet these, from their own start on if that is still to come."""
        plan = self.fault_plan()
        for fault in faults:
            plan.arm(fault)

    def fault_plan(self) -> FaultPlan:
        """The faults that clients meet, from the first time it is asked for, be it before the start."""
        if self.faults is None:
            from wherry.testing.faults.plan import FaultPlan
            from wherry.testing.upsets import Upsets

            self.faults = FaultPlan(self._watches, Upsets(self))
            if self.plane is not None:
                self.plane.api.core.interceptor = self.faults
        return self.faults

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` beside the rest, until the API server ends; not at all when that is under way."""
        if self._tasks.is_closed:
            work.close()
            return
        self._tasks.spawn(work, name)

    def crashed(self, user: str) -> None:
        """One of our own processes that acts as `user` is gone: it is started anew. Others are left alone."""
        if not any(user in process for process in OWN_PROCESSES):
            return
        process = self._simulation if user == SIMULATED_NODES else self._managers
        process.crash()
        self.spawn(process.start_anew(), f"starting {user} anew")

    def restart_soon(self) -> None:
        """The same as `restart`, for whoever is part of what ends by it; other calls wait for that.

        One more follows when it is said again while one is under way.
        """
        self._is_restart_due = True
        self._restart_if_due()

    def _restart_if_due(self) -> None:
        """What starts has to have started first: `open` asks again."""
        if (
            self._is_restart_due
            and self._is_open.is_set()
            and (self._restart is None or self._restart.done())
        ):
            self._restart = self.loop.create_task(self._restart_while_due(), name="test cluster/restart")

    async def _restart_while_due(self) -> None:
        try:
            while self._is_restart_due:
                self._is_restart_due = False
                with self.loop.moving(LONGEST_WAIT_S):
                    await self.restart()
        except Exception as error:  # noqa: BLE001 - kept for whoever calls next
            self._failure = error

    async def whole(self) -> None:
        """Return once no restart is under way. Raises RestartError when one failed."""
        await self._restarted()
        if self._failure is not None:
            kind = type(self._failure).__name__
            raise RestartError(
                f"the cluster did not start again when its API server was restarted: {kind}: {self._failure}"
            ) from self._failure

    async def reopened(self) -> None:
        """Return once another control plane runs, for calls that a restart met. Raises RestartError."""
        await self.whole()
        await self._is_open.wait()

    async def _restarted(self) -> None:
        if self._restart is not None and not self._restart.done():
            await asyncio.wait([self._restart])

    async def end(self) -> None:
        """End everything, after the restart that is under way."""
        await self._restarted()
        await self.close()

    def _revive(self, user: str) -> None:
        if self.faults is not None:
            self.faults.revive(user)

    async def restart(self) -> None:
        """The API server and its own clients end and start anew, with no history left."""
        is_reachable = bool(self.running.api.port)
        await self.close()
        # Only now: what was answered before the end has to be in it.
        moment = self.moment()
        image = replace(moment.store, log=(), compacted=moment.store.revision)
        await self._go_on(replace(moment, store=image), is_reachable)

    async def quiet(self) -> None:
        """Return when everything has happened that needs no time; at once in real time."""
        if self.loop.is_simulated:
            await self.loop.idle()

    def moment(self) -> Moment:
        """What stands now."""
        return Moment(self.store.image(), self.clock.now(), self.random.getstate())

    async def swap(self, moment: Moment) -> None:
        """Go on from `moment`, at the same address."""
        is_reachable = bool(self.running.api.port)
        await self.close()
        await self._go_on(moment, is_reachable)

    async def _go_on(self, moment: Moment, is_reachable: bool) -> None:
        await self.open(moment)
        if is_reachable:
            await self.running.api.listen()

    async def close(self) -> None:
        """End everything."""
        self._is_open.clear()
        await self._tasks.close()
        await self._simulation.end()
        await self._managers.end()
        if self.plane is not None:
            await self.plane.close()
            self.plane = None
        await self.store.close()


def process_of(user: str) -> frozenset[str]:
    """All users of the process that acts as `user`, which is one by itself unless it is one of ours."""
    return next((process for process in OWN_PROCESSES if user in process), frozenset({user}))


def _config(settings: Settings, port: int) -> ControlPlaneConfig:
    found = keys.make()
    _check_plugins(settings)
    try:
        check_switches(BUILTIN, settings.runtime_config)
    except ValueError as error:
        raise SettingsError(f"runtime_config: {error}") from None
    api = ApiServerConfig(
        port=port,
        tls_cert_file=found.of(API_SERVER).cert,
        tls_key_file=found.of(API_SERVER).key,
        client_ca_file=found.authority.cert,
        service_account_key_file=found.tokens_key,
        advertise_address=ADVERTISED,
        kubelet_client_cert_file=found.of(API_SERVER_TO_KUBELETS).cert,
        kubelet_client_key_file=found.of(API_SERVER_TO_KUBELETS).key,
        kubelet_ca_file=found.authority.cert,
        proxy_client_cert_file=found.of(FRONT_PROXY).cert,
        proxy_client_key_file=found.of(FRONT_PROXY).key,
        requestheader_client_ca_file=found.front_proxy_authority.cert,
        front_proxy=FrontProxyConfig(names=(FRONT_PROXY.user,)),
        enable_admission_plugins=tuple(settings.enable_admission_plugins),
        disable_admission_plugins=tuple(settings.disable_admission_plugins),
        runtime_config=settings.runtime_config,
        cluster_name=keys.SETUP.cluster.name,
    )
    return configured(
        api,
        _kinds(settings),
        installed=installed_controllers() if settings.controllers == ALL else (),
        has_scheduler=settings.scheduler,
        scheduler_waits=True,
        authority_key_file=found.authority.key,
        cluster_cidr=POD_CIDR,
        heartbeat_s=replace(settings.node_template, count=settings.nodes).heartbeat_s,
    )


def _check_plugins(settings: Settings) -> None:
    on, off = settings.enable_admission_plugins, settings.disable_admission_plugins
    for enabled, disabled, names in (
        (on, (), "enable_admission_plugins"),
        ((), off, "disable_admission_plugins"),
        (on, off, "enable_admission_plugins, disable_admission_plugins"),
    ):
        try:
            check_choice(enabled, disabled)
        except ValueError as error:
            raise SettingsError(f"{names}: {error}") from None


def _kinds(settings: Settings) -> tuple[type[Controller], ...]:
    if settings.controllers == NONE:
        return ()
    if settings.controllers == ALL:
        return CONTROLLERS
    try:
        return choose_controllers(settings.controllers)
    except ValueError as error:
        raise SettingsError(f"controllers: {error}") from None


MOST_FOUNDINGS = 4
"""How many first starts are remembered, of a megabyte or two each: the latest used."""
_foundings: OrderedDict[tuple[Any, ...], Image] = OrderedDict()
_founding = threading.Lock()


async def _founded(settings: Settings) -> Image:
    """What such a cluster holds when all is quiet after its first start; only to be copied.

    Made once for all clusters of a process that begin alike, always with the same seed, so that it does not
    matter which cluster was first.
    """
    return await asyncio.to_thread(_found, settings, settings.founding)


def _found(settings: Settings, key: tuple[Any, ...]) -> Image:
    with _founding:
        store = _foundings.get(key)
        if store is None:
            loop = SimulatedLoop(settings.begins())
            try:
                store = loop.run_until_complete(_first_start(settings, loop))
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()
            _foundings[key] = store
        _foundings.move_to_end(key)
        while len(_foundings) > MOST_FOUNDINGS:
            _foundings.popitem(last=False)
        return store


async def _first_start(settings: Settings, loop: SimulatedLoop) -> Image:
    from wherry.hollow import rights

    clock = LoopClock(loop)
    store = MemoryStore(clock)
    random = Random(FOUNDING_SEED)  # noqa: S311 - as above
    plane = ControlPlane(_config(settings, 0), store, clock, random)
    with loop.moving(LONGEST_WAIT_S):
        await plane.start(listens=False)
        await rights.ensure_rights(plane.client(ADMIN, (MASTERS,)))
    await loop.idle()
    image = store.image()
    with loop.moving(LONGEST_WAIT_S):  # so that the deadlines of closing pass
        await plane.close()
        await store.close()
    return image
