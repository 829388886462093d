"""Preparing the claims of pods, and giving them back (upstream's DRA manager).

Before a pod's sandbox is made its claims are written down and the drivers are asked to prepare them; after
the last pod's containers have stopped they are asked to undo it. An agent that was killed in between asks
again, since both can be repeated. Each claim has a lock: a driver that hangs keeps only those waiting who
use its claims. Source: pkg/kubelet/cm/dra/manager.go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from wherry.api.dynamicresources.pod_claims import extended_claim, pod_claims
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.devices.checkpoint import write_file
from wherry.kubelet.devices.dra.claim_info import (
    MOST_DEVICES,
    NAME,
    BadState,
    ClaimInfo,
    ClaimInfos,
    PreparedDevice,
    parse_state,
    render_state,
)
from wherry.kubelet.devices.dra.drivers import Drivers
from wherry.kubelet.devices.dra.health import HealthBook
from wherry.kubelet.devices.dra.messages import MESSAGES
from wherry.kubelet.devices.dra.usable import (
    NotPrepared,
    drivers_of,
    has_claims,
    usable_claims,
    wanted_claims,
)
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.plugins.calls import MOST_KEPT_BYTES, PluginFailure
from wherry.kubelet.pod import regular_containers
from wherry.objects.meta import Object, name_of, namespace_of, uid_of
from wherry.objects.quantity import whole

log = logging.getLogger(__name__)

SAVE_TIMEOUT_S = 30.0
RECONCILE_S = 60.0
ANY_DRIVER = "<any>"
"""Stands for all drivers in figures."""


class Claims:
    """The claims of a node's pods. `folder` is where the record is; `on_pod` hears (by uid) of whose devices
    another health is known.
    """

    def __init__(
        self,
        folder: Path,
        client: Client,
        node_name: str,
        disk: Disk,
        clock: Clock,
        metrics: KubeletMetrics,
        on_pod: Callable[[str], None],
        *,
        is_standalone: bool = False,
    ) -> None:
        self._path = folder / NAME
        self._client = client
        self._disk = disk
        self._clock = clock
        self._metrics = metrics
        self._on_pod = on_pod
        self._health = HealthBook()
        self._infos = ClaimInfos()
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._saving = asyncio.Lock()
        self.drivers = Drivers(None if is_standalone else client, node_name, clock, metrics, self._told)
        self._tasks = Tasks("claims")
        self._is_here: Callable[[str], bool] | None = None
        self._reconciling = Repeater("claims of pods that are gone", self._reconcile, self._tasks, clock)
        self._expiring = Repeater("health of devices", self._expire, self._tasks, clock)

    async def load(self) -> None:
        """Read what an agent before this one wrote. Raises OSError when that takes too long."""

        def read() -> str:
            try:
                return self._path.read_text()
            except FileNotFoundError:
                return ""

        text = await self._disk.run("claims", read, SAVE_TIMEOUT_S)
        if text:
            try:
                self._infos = parse_state(text)
            except BadState as error:
                log.error("%s: %s; which claims are prepared is not known any more", self._path, error)

    def all_known(self, is_here: Callable[[str], bool]) -> None:
        """Every source of pods was read: claims of others (by uid) are given back from now on."""
        self._is_here = is_here
        self._reconciling.hurry()

    async def close(self) -> None:
        """Stop; what is prepared stays so."""
        await self._reconciling.close()
        await self._expiring.close()
        await self.drivers.close()
        await self._tasks.close()

    async def prepare(self, pod: Object) -> None:
        """Have all claims of the pod prepared. Raises NotPrepared, OSError."""
        if not has_claims(pod):
            return
        with self._timed("PrepareResources"):
            await self._prepare(pod)

    async def _prepare(self, pod: Object) -> None:
        claims = await usable_claims(pod, self._client)
        for claim in claims:  # before anything is written: a pod that cannot begin leaves nothing behind
            for driver in drivers_of(claim):
                self.drivers.get(driver)
        async with self._locked((namespace_of(claim), name_of(claim)) for claim in claims):
            fresh = [info for claim in claims if not (info := self._referred(claim, pod)).is_prepared]
            await self._save()
            for driver, infos in _by_driver(fresh):
                await self._ask_to_prepare(driver, infos)
            for info in fresh:
                info.is_prepared = True
            if fresh:
                await self._save()

    def _referred(self, claim: Object, pod: Object) -> ClaimInfo:
        """What is known of the claim, the pod among its users. Raises NotPrepared."""
        namespace, name, uid = namespace_of(claim), name_of(claim), uid_of(claim)
        info = self._infos.find(namespace, name)
        if info is None:
            info = ClaimInfo(uid, name, namespace, drivers={driver: [] for driver in drivers_of(claim)})
            self._infos.add(info)
        elif info.uid != uid:
            raise NotPrepared(
                f"old ResourceClaim with same name {name} and different UID {info.uid} still exists"
                " (previous pod force-deleted?!)"
            )
        info.pods.add(uid_of(pod))
        return info

    async def _ask_to_prepare(self, driver: str, infos: Sequence[ClaimInfo]) -> None:
        try:
            answer = await self.drivers.get(driver).prepare([_message(info) for info in infos])
        except PluginFailure as error:
            raise NotPrepared(f"NodePrepareResources: {error}") from error
        for info, result in _results(infos, answer.claims, "NodePrepareResources"):
            if result.ByteSize() > MOST_KEPT_BYTES:
                raise NotPrepared(
                    f"NodePrepareResources: more than {MOST_KEPT_BYTES} bytes for one ResourceClaim"
                )
            if len(result.devices) > MOST_DEVICES:
                raise NotPrepared(
                    f"NodePrepareResources: more than {MOST_DEVICES} devices for one ResourceClaim"
                )
                raise NotPrepared(
                    f"NodePrepareResources: more than {MOST_DEVICES} devices for one ResourceClaim"
                )
            info.drivers[driver] = [
                PreparedDevice(
                    one.pool_name,
                    one.device_name,
                    tuple(one.request_names),
                    tuple(one.cdi_device_ids),
                    one.share_id,
                )
                for one in result.devices
            ]

    async def unprepare(self, pod: Object) -> None:
        """Give back what the pod used, unless others use it too. Raises NotPrepared, OSError."""
        if not self._infos.of_pod(uid_of(pod)):
            return
        with self._timed("UnprepareResources"):
            await self._unprepare(uid_of(pod))

    async def _unprepare(self, uid: str) -> None:
        async with self._locked((info.namespace, info.name) for info in self._infos.of_pod(uid)):
            infos = self._infos.of_pod(uid)
            last = [info for info in infos if info.pods == {uid}]
            for driver, mine in _by_driver(last):
                try:
                    answer = await self.drivers.get(driver).unprepare([_message(info) for info in mine])
                except PluginFailure as error:
                    raise NotPrepared(f"NodeUnprepareResources: {error}") from error
                for _ in _results(mine, answer.claims, "NodeUnprepareResources"):
                    pass
            for info in infos:
                info.pods.discard(uid)
                if info in last:
                    self._infos.remove(info)
            await self._save()

    async def _reconcile(self) -> float:
        """Give back what pods used that are not on this node any more."""
        for uid in {uid for info in self._infos.all() for uid in info.pods}:
            if self._is_here is None or self._is_here(uid):
                continue
            try:
                await self._unprepare(uid)
            except (NotPrepared, OSError) as error:
                log.warning("claims of pod %s, which is gone, are not given back yet: %s", uid, error)
        return RECONCILE_S

    @asynccontextmanager
    async def _locked(self, claims: Iterable[tuple[str, str]]) -> AsyncIterator[None]:
        """Hold the locks of claims, always in one order."""
        async with AsyncExitStack() as held:
            for claim in sorted(set(claims)):
                await held.enter_async_context(self._locks.setdefault(claim, asyncio.Lock()))
            yield
        for claim in [one for one, lock in self._locks.items() if not lock.locked()]:
            if self._infos.find(*claim) is None:
                del self._locks[claim]

    async def _save(self) -> None:
        async with self._saving:  # what is newest is written last
            write = partial(write_file, self._path, render_state(self._infos))
            await self._disk.run("claims", write, SAVE_TIMEOUT_S)

    def _timed(self, operation: str) -> _Timed:
        return _Timed(self._metrics, operation)

    # What containers get of it, and what is told of it.

    def cdi_devices(self, pod: Object, container: Mapping[str, Any]) -> list[str]:
        """The CDI devices of a container's claims. Raises NotPrepared when one is not prepared."""
        found: list[str] = []
        for claim, request in container_requests(pod, container):
            info = self._infos.find(namespace_of(pod), claim)
            if info is None:
                where = f"ResourceClaim {claim} in namespace {namespace_of(pod)}"
                raise NotPrepared(f"internal error: unable to get claim info for {where}")
            found += info.cdi(request)
        return list(dict.fromkeys(found))

    def infos(self, pod: Object, container: Mapping[str, Any]) -> list[ClaimInfo]:
        """What is known of the claims a container uses."""
        names = dict.fromkeys(claim for claim, _ in container_requests(pod, container))
        found = (self._infos.find(namespace_of(pod), name) for name in names)
        return [info for info in found if info is not None]

    def resource_statuses(self, pod: Object) -> dict[str, list[Object]]:
        """`allocatedResourcesStatus` of the pod's containers that use claims, by name."""
        if not has_claims(pod):
            return {}
        claims = {one.name: one.claim for one in wanted_claims(pod) if one.claim}
        found: dict[str, list[Object]] = {}
        for container in regular_containers(pod):
            statuses: dict[str, Object] = {}
            for asked in (container.get("resources") or {}).get("claims") or ():
                info = self._infos.find(namespace_of(pod), claims.get(asked["name"], ""))
                health = self._healths(info, asked.get("request") or "") if info is not None else []
                if health:
                    request = f"/{asked['request']}" if asked.get("request") else ""
                    name = f"claim:{asked['name']}{request}"
                    statuses[name] = {"name": name, "resources": health}
            if statuses:
                found[container["name"]] = list(statuses.values())
        return found

    def _healths(self, info: ClaimInfo, request: str) -> list[Object]:
        now = self._clock.monotonic()
        found: dict[str, Object] = {}
        for driver, device in info.devices(request):
            health, message = self._health.find(driver, device.pool, device.name, now)
            resource_id = device.cdi[0] if device.cdi else f"{driver}/{device.pool}/{device.name}"
            told: Object = {"resourceID": resource_id, "health": health}
            if message:
                told["message"] = message
            found.setdefault(resource_id, told)
        return list(found.values())

    def in_use(self) -> Counter[str]:
        """How many claims are in use, by driver; of all together under `<any>`."""
        return Counter(name for info in self._infos.all() for name in (ANY_DRIVER, *info.drivers))

    def _told(self, driver: str, devices: Sequence[Any] | None) -> None:
        now = self._clock.monotonic()
        if devices is None:
            changed = self._health.forget(driver)
        else:
            changed = self._health.update(driver, devices, now)
        self._tell(driver, changed)
        if self._health.next_expiry() is not None and not self._tasks.is_closed:
            self._expiring.poke()

    async def _expire(self) -> float | None:
        for driver, changed in self._health.expire(self._clock.monotonic()).items():
            self._tell(driver, changed)
        next_at = self._health.next_expiry()
        return None if next_at is None else max(next_at - self._clock.monotonic(), 0.1)

    def _tell(self, driver: str, changed: set[tuple[str, str]]) -> None:
        if not changed:
            return
        for info in self._infos.all():
            if any((one.pool, one.name) in changed for one in info.drivers.get(driver, ())):
                for uid in info.pods:
                    self._on_pod(uid)


class _Timed:
    """Counts how long an operation took, and whether it failed."""

    def __init__(self, metrics: KubeletMetrics, operation: str) -> None:
        self._metrics = metrics
        self._operation = operation
        self._began = perf_counter()

    def __enter__(self) -> None:
        """The operation begins."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        failed = "true" if error is not None else "false"
        self._metrics.dra_duration.observe(perf_counter() - self._began, self._operation, failed)


def container_requests(pod: Object, container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The claims (by the ResourceClaim's name) and requests ("" for all of a claim) a container uses."""
    asked = (container.get("resources") or {}).get("claims") or ()
    for one in pod_claims(pod):
        for entry in asked if one.claim else ():
            if entry["name"] == one.name:
                yield one.claim or "", entry.get("request") or ""
    extended = extended_claim(pod)
    if not extended:
        return
    requests = (container.get("resources") or {}).get("requests") or {}
    status = pod["status"]["extendedResourceClaimStatus"]
    for mapping in status.get("requestMappings") or ():
        amount = requests.get(mapping.get("resourceName"))
        if mapping.get("containerName") == container["name"] and amount is not None and whole(amount) > 0:
            yield extended, mapping.get("requestName") or ""


def _message(info: ClaimInfo) -> Any:
    return MESSAGES.Claim(namespace=info.namespace, uid=info.uid, name=info.name)


def _by_driver(infos: Sequence[ClaimInfo]) -> list[tuple[str, list[ClaimInfo]]]:
    names = sorted({driver for info in infos for driver in info.drivers})
    return [(name, [info for info in infos if name in info.drivers]) for name in names]


def _results(
    infos: Sequence[ClaimInfo], results: Mapping[str, Any], method: str
) -> list[tuple[ClaimInfo, Any]]:
    """What a driver answered for each claim. Raises NotPrepared for an error, or an answer too few or
    too many.
    """
    by_uid = {info.uid: info for info in infos}
    found = []
    for uid, result in results.items():
        info = by_uid.get(uid)
        if info is None:
            raise NotPrepared(f"{method} returned result for unknown claim UID {uid[:64]}")
        if result.error:
            raise NotPrepared(f"{method} failed for ResourceClaim {info.name}: {result.error[:1024]}")
        found.append((info, result))
    if len(found) != len(infos):
        raise NotPrepared(f"{method} skipped {len(infos) - len(found)} ResourceClaims")
    return found
