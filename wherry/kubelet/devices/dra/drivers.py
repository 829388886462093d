"""The plug-ins of DRA drivers: who is there, and calling one.

Of several plug-ins of one driver (an update that rolls) the last that registered is asked. When the last
one is gone, and at the agent's start, the node's ResourceSlices of the driver are deleted, so that no pod
comes for devices nobody can prepare. Source: pkg/kubelet/cm/dra/plugin.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.client.api import Client
from wherry.kit.clock import Clock, Timer
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.devices.dra.messages import HEALTH_SERVICES, MESSAGES, SERVICES
from wherry.kubelet.devices.dra.usable import NotPrepared
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.plugins.calls import PluginChannel, PluginFailure
from wherry.kubelet.plugins.pace import Pace
from wherry.kubelet.plugins.watcher import NotRegistered
from wherry.objects.errors import ApiError

log = logging.getLogger(__name__)

TYPE = "DRAPlugin"
CALL_TIMEOUT_S = 45.0
"""`defaultClientCallTimeout`."""
WIPING_DELAY_S = 30.0
HEALTH_RETRY_S = 5.0
LISTS_PER_S, LISTS_BURST = 1.0, 20
"""How often what a driver tells of its devices' health is taken."""
MOST_DRIVERS = 256
MOST_PLUGINS = 8
"""Plug-ins of one driver at once."""


class Driver:
    """One plug-in of a driver, which serves at `endpoint`."""

    def __init__(
        self, name: str, endpoint: Path, versions: Sequence[str], clock: Clock, metrics: KubeletMetrics
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self._service = chosen_service(versions)
        self._health = next((one for one in HEALTH_SERVICES if one in versions), "")
        self._channel = PluginChannel(endpoint, clock)
        self._metrics = metrics
        self._pace = Pace(clock, LISTS_PER_S, LISTS_BURST)

    async def prepare(self, claims: Sequence[Any]) -> Any:
        """The answer to NodePrepareResources. Raises PluginFailure."""
        request = MESSAGES.NodePrepareResourcesRequest(claims=claims)
        return await self._call("NodePrepareResources", request, MESSAGES.NodePrepareResourcesResponse)

    async def unprepare(self, claims: Sequence[Any]) -> Any:
        """The answer to NodeUnprepareResources. Raises PluginFailure."""
        request = MESSAGES.NodeUnprepareResourcesRequest(claims=claims)
        return await self._call("NodeUnprepareResources", request, MESSAGES.NodeUnprepareResourcesResponse)

    async def watch(self, on_devices: Callable[[Sequence[Any]], None]) -> None:
        """Hand on what the driver tells of its devices' health until it ends. Raises PluginFailure."""
        if not self._health:
            return
        told = self._channel.stream(
            f"/{self._health}/NodeWatchResources",
            MESSAGES.NodeWatchResourcesRequest(),
            MESSAGES.NodeWatchResourcesResponse,
        )
        try:
            async for message in told:
                on_devices(message.devices)
                await self._pace.wait()
        finally:
            await told.aclose()  # type: ignore[attr-defined]

    @property
    def tells_health(self) -> bool:
        """Whether it has the health service."""
        return bool(self._health)

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def _call(self, method: str, request: Any, answer: Any) -> Any:
        path, code, began = f"/{self._service}/{method}", "OK", perf_counter()
        try:
            return await self._channel.call(path, request, answer, CALL_TIMEOUT_S)
        except PluginFailure as failure:
            code = failure.code
            raise
        finally:
            self._metrics.dra_grpc_duration.observe(perf_counter() - began, self.name, path, code)


def chosen_service(versions: Sequence[str]) -> str:
    """The newest service a driver has that is known here. Raises NotRegistered."""
    if not versions:
        raise NotRegistered("empty list of supported gRPC services (aka supported versions)")
    found = next((service for name, service in SERVICES.items() if name in versions), None)
    if found is None:
        raise NotRegistered(
            f"none of the services {', '.join(versions)[:255]} is known: {', '.join(SERVICES)} are"
        )
    return found


class Drivers:
    """The drivers of a node. `on_health(driver, devices)` hears of their health, with None when it is not
    known any more.
    """

    def __init__(
        self,
        client: Client | None,
        node_name: str,
        clock: Clock,
        metrics: KubeletMetrics,
        on_health: Callable[[str, Sequence[Any] | None], None],
    ) -> None:
        self._client = client
        self._node_name = node_name
        self._clock = clock
        self._metrics = metrics
        self._on_health = on_health
        self._drivers: dict[str, list[Driver]] = {}
        self._following: dict[Driver, asyncio.Task[None]] = {}
        self._wipes: dict[str, Repeater] = {}
        self._timers: dict[str, Timer] = {}
        self._tasks = Tasks("DRA drivers")

    def start(self) -> None:
        """None of the drivers is there yet: nothing of theirs is offered until they are."""
        self._wipe("")

    async def close(self) -> None:
        """Call no driver any more."""
        for timer in self._timers.values():
            timer.cancel()
        for repeater in self._wipes.values():
            await repeater.close()
        await self._tasks.close()
        for drivers in self._drivers.values():
            for driver in drivers:
                await driver.close()

    def get(self, name: str) -> Driver:
        """The plug-in to ask. Raises NotPrepared when there is none."""
        if not name:
            raise NotPrepared("DRA driver name is empty")
        found = self._drivers.get(name)
        if not found:
            raise NotPrepared(f"DRA driver {name} is not registered")
        return found[-1]

    def validate(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """See `PluginHandler.validate`."""
        try:
            chosen_service(versions)
        except NotRegistered as error:
            raise NotRegistered(f"invalid versions of plugin {name[:255]}: {error}") from error

    async def register(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """See `PluginHandler.register`."""
        if not name or len(name) > 253:
            raise NotRegistered("a driver's name must have 1 to 253 characters")
        before = self._drivers.get(name, [])
        if any(one.endpoint == endpoint for one in before):
            raise NotRegistered(f"endpoint {endpoint} already registered for DRA driver plugin {name}")
        if len(before) >= MOST_PLUGINS or (not before and len(self._drivers) >= MOST_DRIVERS):
            raise NotRegistered(
                f"at most {MOST_DRIVERS} drivers and {MOST_PLUGINS} plug-ins of each can register"
            )
        driver = Driver(name, endpoint, versions, self._clock, self._metrics)
        self._drivers.setdefault(name, []).append(driver)
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        wipe = self._wipes.pop(name, None)
        if wipe is not None:
            await wipe.close()
        if driver.tells_health:
            self._following[driver] = self._tasks.spawn(self._follow(driver), f"health of {name}")

    def deregister(self, name: str, endpoint: Path) -> None:
        """See `PluginHandler.deregister`."""
        left = self._drivers.get(name, [])
        for driver in [one for one in left if one.endpoint == endpoint]:
            left.remove(driver)
            following = self._following.pop(driver, None)
            if following is not None:
                following.cancel()
            self._tasks.spawn(driver.close(), f"end of {name}")
        if not left and self._drivers.pop(name, None) is not None:
            log.warning("DRA driver %s is gone", name)
            self._timers[name] = self._clock.call_later(WIPING_DELAY_S, partial(self._wipe, name))

    async def _follow(self, driver: Driver) -> None:
        while True:
            try:
                await driver.watch(partial(self._on_health, driver.name))
            except PluginFailure as error:
                log.warning("DRA driver %s does not tell of its devices' health: %s", driver.name, error)
            finally:
                self._on_health(driver.name, None)
            await self._clock.sleep(HEALTH_RETRY_S)

    def _wipe(self, driver: str) -> None:
        """Delete the node's ResourceSlices of a driver, of all when it is ""."""
        self._timers.pop(driver, None)
        if self._client is None:
            return
        repeater = Repeater(
            f"deletion of ResourceSlices of {driver or 'all drivers'}",
            partial(self._delete_slices, self._client, driver),
            self._tasks,
            self._clock,
            first_s=1.0,
            longest_s=300.0,
            expected=(ApiError, OSError),
        )
        self._wipes[driver] = repeater
        repeater.poke()

    async def _delete_slices(self, client: Client, driver: str) -> None:
        selector = f"spec.nodeName={self._node_name}" + (f",spec.driver={driver}" if driver else "")
        try:
            await client.delete_collection(RESOURCE_SLICES, field_selector=selector)
        except ApiError as error:
            if error.code != 404:
                raise
