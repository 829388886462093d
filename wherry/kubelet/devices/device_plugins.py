"""Device plug-ins: who is registered for which resource, and giving their devices to containers.

Devices are given before a pod's sandbox is made, one container after the other, and written down before
anything is started with them. Each resource has a lock of its own, and each call a deadline: a plug-in that
hangs keeps only those waiting who want its resource. Source: pkg/kubelet/cm/devicemanager/manager.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from wherry.api.core.pod_spec.resources import is_extended
from wherry.api.dynamicresources.pod_claims import claimed_resources
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.devices.assignments import NO_NODE, Assigned, Assignments, DeviceOptions
from wherry.kubelet.devices.checkpoint import (
    NAME,
    BadCheckpoint,
    parse_checkpoint,
    render_checkpoint,
    write_file,
)
from wherry.kubelet.devices.choosing import CannotAllocate, Wish, choose_devices
from wherry.kubelet.devices.endpoint import Endpoint
from wherry.kubelet.devices.inventory import STOP_GRACE_S, Device, Inventory, TooMuch
from wherry.kubelet.devices.messages import MESSAGES, REGISTRATION, VERSION
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.plugins.calls import (
    MOST_KEPT_BYTES,
    OutsideFolder,
    PluginFailure,
    PluginServer,
    Refused,
    make_folder,
    socket_below,
)
from wherry.kubelet.plugins.watcher import NotRegistered
from wherry.kubelet.pod import init_containers, is_sidecar, regular_containers
from wherry.objects.meta import Object, key_of, uid_of
from wherry.objects.quantity import whole

log = logging.getLogger(__name__)

SOCKET = "kubelet.sock"
TYPE = "DevicePlugin"
SAVE_TIMEOUT_S = 30.0
MOST_RESOURCES = 256
"""So many resources plug-ins may have; further ones are refused."""


class NotYet(Exception):
    """The plug-in was there before the agent started, and has not come back yet."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of what: `on_amounts` that there are other amounts of devices, `on_pod` that the health of a
    pod's devices changed (by its uid); `affinity` tells which NUMA nodes a container's devices are to be
    near to.
    """

    on_amounts: Callable[[], None]
    on_pod: Callable[[str], None]
    affinity: Callable[[str, str], frozenset[int] | None] = lambda _uid, _container: None


class DevicePlugins:
    """The device plug-ins of a node; `folder` is where they have their sockets (`device-plugins`)."""

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        clock: Clock,
        metrics: KubeletMetrics,
        boot_id: str,
        listeners: Listeners,
    ) -> None:
        self.assignments = Assignments()
        self.inventory = Inventory()
        self._folder = folder
        self._disk = disk
        self._clock = clock
        self._metrics = metrics
        self._boot_id = boot_id
        self._listeners = listeners
        self._endpoints: dict[str, Endpoint] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._saving = asyncio.Lock()
        self._stale: set[str] = set()
        """Pods whose devices were given before the machine started anew."""
        self._tasks = Tasks("device plug-ins")
        register = {"Register": (MESSAGES.RegisterRequest, self._register)}
        self._server = PluginServer(folder / SOCKET, REGISTRATION, register)
        self._expiring = Repeater("plug-ins that stay away", self._expire, self._tasks, clock)

    async def load(self) -> None:
        """Read what an agent before this one wrote. Raises OSError when that takes too long."""
        path = self._folder / NAME

        def read() -> str:
            try:
                return path.read_text()
            except FileNotFoundError:
                return ""

        text = await self._disk.run("devices", read, SAVE_TIMEOUT_S)
        if not text:
            return
        try:
            found = parse_checkpoint(text)
        except BadCheckpoint as error:
            log.error("%s: %s; which pod has which device is not known any more", path, error)
            return
        self.assignments = found.assignments
        self.inventory.expect(list(found.registered), self._clock.monotonic())
        if found.boot_id != self._boot_id:
            self._stale = set(self.assignments.pods())
        self._expiring.poke()

    async def start(self) -> None:
        """Let plug-ins register. Raises OSError.

        Their old sockets go first: plug-ins watch the folder, and register anew.
        """
        await self._disk.run("device plug-ins", self._clean, SAVE_TIMEOUT_S)
        await self._server.start()

    def _clean(self) -> None:
        make_folder(self._folder)
        for path in self._folder.iterdir():
            if path.name != NAME and not path.is_dir():
                path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Serve plug-ins no more; what containers have they keep."""
        await self._server.close()
        await self._expiring.close()
        await self._tasks.close()
        for endpoint in self._endpoints.values():
            await endpoint.close()

    # Registration, by the old socket and by the watched folder.

    async def _register(self, request: Any) -> Any:
        resource = request.resource_name
        if request.version != VERSION:
            raise Refused(
                f'requested API version "{request.version[:64]}" is not supported by kubelet.'
                f' Supported version is ["{VERSION}"]'
            )
        try:
            socket = socket_below(self._folder, self._folder / request.endpoint)
            await self.connect(resource, socket)
        except FileNotFoundError:
            raise Refused(f"failed to dial device plugin: there is no {request.endpoint[:255]}") from None
        except (NotRegistered, OutsideFolder, PluginFailure, OSError) as error:
            log.warning("device plug-in of %s is refused: %s", resource[:255], error)
            raise Refused(str(error)) from error
        return MESSAGES.Empty()

    def validate(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """See `PluginHandler.validate`."""
        if VERSION not in versions:
            raise NotRegistered(
                f"manager version, {VERSION}, is not among plugin supported versions {list(versions)}"
            )
        _check_name(name)

    async def register(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        """See `PluginHandler.register`."""
        await self.connect(name, endpoint)

    def deregister(self, name: str, endpoint: Path) -> None:
        """See `PluginHandler.deregister`."""
        current = self._endpoints.get(name)
        if current is not None:
            self._tasks.spawn(current.close(), f"end of {name}")

    async def connect(self, resource: str, socket: Path) -> None:
        """Take a plug-in in, in the place of one before it. Raises NotRegistered, PluginFailure."""
        _check_name(resource)
        if resource not in self._endpoints and len(self._endpoints) >= MOST_RESOURCES:
            raise NotRegistered(f"more than {MOST_RESOURCES} resources have device plug-ins")
        self._metrics.device_plugin_registrations.inc(resource)
        endpoint = Endpoint(resource, socket, self._clock)
        try:
            await endpoint.connect()
        except BaseException:
            await endpoint.close()
            raise
        before = self._endpoints.get(resource)
        self._endpoints[resource] = endpoint
        if before is not None:
            await before.close()
        self.inventory.came(resource)
        self._tasks.spawn(self._follow(endpoint), f"devices of {resource}")
        log.info("device plug-in of %s is registered", resource)

    async def _follow(self, endpoint: Endpoint) -> None:
        resource = endpoint.resource

        def listed(devices: Mapping[str, Device]) -> None:
            if self._endpoints.get(resource) is endpoint:
                before = self.inventory.find(resource)
                is_other = before is None or before.devices != devices
                self._tell(resource, self.inventory.listed(resource, devices))
                if is_other:
                    self._listeners.on_amounts()

        why = "it ended its list"
        try:
            await self.save()  # who is registered is known to an agent after this one
        except OSError as error:
            log.warning("the devices of %s are not written down: %s", resource, error)
        try:
            await endpoint.follow(listed)
        except (PluginFailure, TooMuch) as error:
            why = str(error)
        finally:
            if self._endpoints.get(resource) is endpoint and not self._tasks.is_closed:
                log.warning("device plug-in of %s is gone: %s", resource, why)
                self._tell(resource, self.inventory.went(resource, self._clock.monotonic()))
                self._listeners.on_amounts()
                self._expiring.poke()
        await endpoint.close()

    def _tell(self, resource: str, changed: set[str]) -> None:
        for uid in self.assignments.users(resource, changed) if changed else ():
            self._listeners.on_pod(uid)

    async def _expire(self) -> float:
        gone = self.inventory.expire(self._clock.monotonic())
        for resource in gone:
            log.warning("device plug-in of %s stayed away for %.0f s", resource, STOP_GRACE_S)
            endpoint = self._endpoints.pop(resource, None)
            if endpoint is not None:
                await endpoint.close()
        if gone:
            self._listeners.on_amounts()
        return STOP_GRACE_S / 10

    # Giving devices to containers.

    def is_known(self, resource: str) -> bool:
        """Whether a plug-in has the resource, or had: nobody runs without what they asked of it."""
        return self.inventory.is_known(resource) or bool(self.assignments.in_use(resource))

    def wanted(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, int]:
        """How many devices of which plug-in's resource a container asks for.

        What it has by the pod's claim for extended resources is no plug-in's.
        """
        limits = (container.get("resources") or {}).get("limits") or {}
        wanted = {name: whole(amount) for name, amount in limits.items() if is_extended(name)}
        claimed = claimed_resources(pod, container["name"]) if wanted else ()
        return {
            name: amount
            for name, amount in wanted.items()
            if amount > 0 and name not in claimed and self.is_known(name)
        }

    async def allocate(self, pod: Object) -> None:
        """Give the pod's containers their devices, where they have none yet.

        Raises CannotAllocate, NotYet when they may be there later, OSError when it cannot be written down.
        """
        uid = uid_of(pod)
        containers = [*init_containers(pod), *regular_containers(pod)]
        resources = sorted({resource for container in containers for resource in self.wanted(pod, container)})
        if not resources:
            return
        async with AsyncExitStack() as held:
            for resource in resources:
                await held.enter_async_context(self._locks.setdefault(resource, asyncio.Lock()))
            if not await self._allocate_all(pod, containers):
                return
            try:
                await self.save()
            except BaseException:
                self.assignments.forget(uid)
                raise
            self._stale.discard(uid)

    async def _allocate_all(self, pod: Object, containers: Sequence[Object]) -> bool:
        """Whether anything was given. After a failure the pod has what it had before."""
        uid = uid_of(pod)
        had = self.assignments.has_pod(uid)
        reusable: dict[str, set[str]] = {}
        inits = {container["name"]: is_sidecar(container) for container in init_containers(pod)}
        changed = False
        try:
            for container in containers:
                name = container["name"]
                for resource, needed in self.wanted(pod, container).items():
                    free = reusable.setdefault(resource, set())
                    changed |= await self._allocate_one(pod, name, resource, needed, free)
                    ids = self.assignments.of(uid, name)[resource].ids
                    if inits.get(name, True):  # a sidecar or regular container keeps what it has
                        free.difference_update(ids)
                    else:
                        free.update(ids)
        except BaseException:
            if not had:
                self.assignments.forget(uid)
            raise
        return changed

    async def _allocate_one(
        self, pod: Object, container: str, resource: str, needed: int, reusable: set[str]
    ) -> bool:
        uid = uid_of(pod)
        has = self.assignments.of(uid, container).get(resource)
        if has is not None and len(has.ids) != needed:
            raise CannotAllocate(
                f'pod "{uid}" container "{container}" changed request for resource "{resource}"'
                f" from {len(has.ids)} to {needed}"
            )
        if has is not None and uid not in self._stale:
            return False
        offer = self.inventory.find(resource)
        wish = Wish(
            resource,
            needed,
            has.ids if has is not None else (),
            reusable,
            self.assignments.in_use(resource),
            self._listeners.affinity(uid, container),
        )
        if self.inventory.is_awaited(resource):
            raise NotYet(f"waiting for the device plug-in of {resource}")
        ids = await choose_devices(wish, offer, partial(self._prefer, resource)) or sorted(wish.had)
        answer = await self._ask(resource, ids)
        by_node: dict[int, list[str]] = {}
        for one in ids:
            device = offer.devices.get(one) if offer is not None else None
            for node in (device.nodes if device is not None else ()) or (NO_NODE,):
                by_node.setdefault(node, []).append(one)
        given = Assigned({node: tuple(found) for node, found in by_node.items()}, answer)
        self.assignments.put(uid, container, resource, given)
        log.info("container %s of pod %s has %s %s", container, key_of(pod), resource, ", ".join(ids[:20]))
        return True

    async def _prefer(self, resource: str, available: list[str], required: list[str], size: int) -> list[str]:
        endpoint = self._endpoints.get(resource)
        if endpoint is None or not endpoint.has_preferences:
            return []
        try:
            return await endpoint.preferred(available, required, size)
        except PluginFailure as error:
            text = "device plugin GetPreferredAllocation rpc failed with err"
            raise CannotAllocate(f"{text}: {error}") from error

    async def _ask(self, resource: str, ids: list[str]) -> bytes:
        endpoint = self._endpoints.get(resource)
        if endpoint is None or endpoint.is_stopped:
            raise CannotAllocate(f"endpoint {resource} has been stopped")
        began = perf_counter()
        try:
            answer = await endpoint.allocate(ids)
        except PluginFailure as error:
            raise CannotAllocate(str(error)) from error
        finally:
            self._metrics.device_plugin_allocation.observe(perf_counter() - began, resource)
        if not answer.container_responses:
            raise CannotAllocate("no containers return in allocation response")
        data: bytes = answer.container_responses[0].SerializeToString()
        if len(data) > MOST_KEPT_BYTES:
            raise CannotAllocate(
                f"the allocation response has {len(data)} bytes, more than {MOST_KEPT_BYTES}"
            )
        return data

    async def options(self, pod: Object, container: Mapping[str, Any]) -> DeviceOptions:
        """What a container that is about to be made gets of its devices, its plug-ins told of it.

        Raises CannotAllocate, NotYet, OSError.
        """
        wanted = self.wanted(pod, container)
        if not wanted:
            return DeviceOptions()
        uid, name = uid_of(pod), container["name"]
        has = self.assignments.of(uid, name)
        if uid in self._stale or wanted.keys() - has.keys():
            await self.allocate(pod)
        for resource in wanted:
            endpoint = self._endpoints.get(resource)
            if endpoint is None or not endpoint.pre_start_required:
                continue
            try:
                await endpoint.pre_start(sorted(self.assignments.of(uid, name)[resource].ids))
            except PluginFailure as error:
                raise CannotAllocate(
                    f"device plugin PreStartContainer rpc failed with err: {error}"
                ) from error
        return self.assignments.options(uid, name)

    async def release(self, uid: str) -> None:
        """The pod's devices are free again. Raises OSError when that cannot be written down."""
        if self.assignments.forget(uid):
            self._stale.discard(uid)
            await self.save()

    async def keep_only(self, is_here: Callable[[str], bool]) -> None:
        """Free what pods have that are not on this node any more (by uid). Raises OSError."""
        gone = [uid for uid in self.assignments.pods() if not is_here(uid)]
        for uid in gone:
            self.assignments.forget(uid)
        if gone:
            await self.save()

    async def save(self) -> None:
        """Write down which container has which devices, what is newest last. Raises OSError."""
        async with self._saving:
            found = self.inventory
            registered = {
                name: offer.healthy() for name in found.names() if (offer := found.find(name)) is not None
            }
            text = render_checkpoint(self.assignments, registered, self._boot_id)
            write = partial(write_file, self._folder / NAME, text)
            await self._disk.run("devices", write, SAVE_TIMEOUT_S)

    # What is told of devices.

    def capacity(self) -> dict[str, int]:
        """How many devices the node has, by resource."""
        return self.inventory.capacity()

    def allocatable(self) -> dict[str, int]:
        """How many of them pods may have."""
        return self.inventory.allocatable()

    def admissible(self) -> dict[str, int]:
        """`allocatable`, and at least what containers have: they keep it when their plug-in is away."""
        found = self.allocatable()
        for resource, used in self.assignments.amounts().items():
            found[resource] = max(found.get(resource, 0), used)
        return found

    def resource_statuses(self, pod: Object) -> dict[str, list[Object]]:
        """`allocatedResourcesStatus` of the pod's containers that have devices, by name."""
        uid = uid_of(pod)
        if not self.assignments.has_pod(uid):
            return {}
        found: dict[str, list[Object]] = {}
        for container in regular_containers(pod):
            for resource, assigned in sorted(self.assignments.of(uid, container["name"]).items()):
                health = [
                    {"resourceID": one, "health": self._health(resource, one)} for one in sorted(assigned.ids)
                ]
                found.setdefault(container["name"], []).append({"name": resource, "resources": health})
        return found

    def _health(self, resource: str, device: str) -> str:
        offer = self.inventory.find(resource)
        known = offer.devices.get(device) if offer is not None else None
        return "Healthy" if known is None or known.is_healthy else "Unhealthy"


def _check_name(resource: str) -> None:
    """Raises NotRegistered for what cannot be a resource of somebody's own."""
    if not is_extended(resource):
        raise NotRegistered(f'the ResourceName "{resource[:255]}" is invalid')
