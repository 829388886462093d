"""Holds Services and IPAddresses together where somebody wrote one of them by hand: `Repair`.

Source: pkg/registry/core/service/ipallocator/controller/repairip.go. A Service and its addresses are written
at once, so nothing is left over here by a crash; but people delete and change IPAddresses, and stores are
restored. All are looked at once, after the start and whenever the ranges change; then what was written.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TypeAlias

from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.allocation.addresses import canonical, parse
from wherry.apiserver.allocation.objects import (
    belongs_to,
    cluster_addresses,
    family_of,
    has_right_labels,
    is_managed,
    is_of_a_service,
    parent_of,
)
from wherry.apiserver.allocation.services import ServiceAllocator
from wherry.apiserver.cached import Cached, CachedEvent
from wherry.apiserver.parts import Parts
from wherry.apiserver.registry import Served
from wherry.client.api import Client
from wherry.client.events import WARNING, EventRecorder
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, key_of, metadata, name_of, namespace_of, parse_time
from wherry.store.base import KeyExists, KeyMissing, RevisionMismatch, Subscription

log = logging.getLogger(__name__)

COMPONENT = "ipallocator-repair-controller"
GRACE = timedelta(seconds=60)
"""An address whose Service is not there may be of one that is being created, by a server of upstream's."""
FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 180.0
"""Upstream gives up after fifteen tries, and looks at everything again every three minutes."""
SERVICE_UNAVAILABLE = 503
INSUFFICIENT_STORAGE = 507
FOR_SERVICES = "ClusterIPAllocation"
FOR_ADDRESSES = "IPAddressAllocation"
"""What was being done, as events say it."""


Key: TypeAlias = tuple[str, str]
"""Namespace and name; of an IPAddress, which has none, the first is empty."""


_Look: TypeAlias = tuple[bool, Key]
"""Whether it is a Service, and which; else which IPAddress."""


class Repair:
    """Looks at what is written, from `follow` to `close`."""

    def __init__(self, parts: Parts, client: Client) -> None:
        self._parts = parts
        self._client = client
        self._allocator: ServiceAllocator = parts.services
        self._services = parts.registry.of(SERVICES)
        self._addresses = parts.registry.of(IP_ADDRESSES)
        self._events = EventRecorder(client, parts.clock, COMPONENT)
        self._feeds: list[Subscription] = []
        self._services_due: dict[Key, None] = {}
        self._addresses_due: dict[Key, None] = {}
        self._gone: deque[tuple[Served, Cached]] = deque()
        self._later: dict[_Look, float] = {}
        """What is to be looked at again, and when (of the monotonic clock)."""
        self._failures: dict[_Look, int] = {}
        """How often in a row looking at something failed."""
        self._ranges: frozenset[str] | None = None
        """Those all was looked at with, None: it is to be looked at again."""
        self._tasks = Tasks("addresses")
        self._repeater = Repeater(
            "holding services and addresses together",
            self._work,
            self._tasks,
            parts.clock,
            expected=(ApiError,),
        )

    def follow(self) -> None:
        """Look at everything, and from now on at what is written."""
        follow = self._parts.registry.follow
        self._feeds = [
            follow(SERVICES, self._services_changed, self._look_at_all),
            follow(IP_ADDRESSES, self._addresses_changed, self._look_at_all),
            follow(SERVICE_CIDRS, lambda _: self._repeater.poke(), self._look_at_all),
        ]
        self._allocator.on_failure = self._was_not_stored
        self._repeater.poke()

    async def close(self) -> None:
        """Follow no more."""
        for feed in self._feeds:
            feed.close()
        await self._repeater.close()
        await self._tasks.close()
        await self._events.close()

    def _look_at_all(self) -> None:
        self._ranges = None
        self._repeater.poke()

    def _services_changed(self, events: Sequence[CachedEvent]) -> None:
        for event in self._worth_a_look(events):
            if event.type == "DELETED":
                self._gone.append((self._services, event.object))
            else:
                self._services_due[event.object.namespace, event.object.name] = None
            self._repeater.poke()

    def _worth_a_look(self, events: Iterable[CachedEvent]) -> Iterable[CachedEvent]:
        """What comes or goes together was put right by who wrote it."""
        own = self._allocator.writing
        return (event for event in events if event.type == "MODIFIED" or event.object.key not in own)

    def _was_not_stored(self, namespace: str, name: str, addresses: Sequence[str]) -> None:
        self._services_due[namespace, name] = None
        self._addresses_due |= {("", address): None for address in addresses}
        self._repeater.poke()

    def _addresses_changed(self, events: Sequence[CachedEvent]) -> None:
        for event in self._worth_a_look(events):
            if event.type != "DELETED":
                self._addresses_due["", event.object.name] = None
            if event.previous is not None:
                self._gone.append((self._addresses, event.previous))
            self._repeater.poke()

    async def _work(self) -> float | None:
        """Look at what waits; after how many seconds to look again. Raises ApiError."""
        ranges = frozenset(self._allocator.addresses.cidrs)
        if ranges != self._ranges:
            self._ranges = ranges
            self._services_due |= _keys(self._services)
            self._addresses_due |= _keys(self._addresses)
        now = self._parts.clock.monotonic()
        for look in [look for look, due in self._later.items() if due <= now]:
            del self._later[look]
            self._due(look[0])[look[1]] = None
        portions = Portions(Work.REQUESTS)
        await portions.next()
        while self._gone:
            self._look_behind(*self._gone.popleft())
            await portions.next()
        # Services first: what one rightly has needs no further look.
        while waiting := self._services_due or self._addresses_due:
            key = next(iter(waiting))
            del waiting[key]
            await self._look((waiting is self._services_due, key))
            await portions.next()
        return min((due - now for due in self._later.values()), default=None)

    def _due(self, is_service: bool) -> dict[Key, None]:
        return self._services_due if is_service else self._addresses_due

    async def _look(self, look: _Look) -> None:
        """Look at one, and once more later if that fails. Raises ApiError when nothing can be stored."""
        is_service, key = look
        try:
            await (self._check_service if is_service else self._check_address)(key)
        except ApiError as error:
            if error.code in (SERVICE_UNAVAILABLE, INSUFFICIENT_STORAGE):
                self._due(is_service)[key] = None
                raise
            self._put_off(look, error.message)
        except (KeyExists, KeyMissing, RevisionMismatch) as error:
            self._put_off(look, str(error))
        except Exception:
            log.exception("%s makes no sense and is left as it is", "/".join(filter(None, key)))
        else:
            self._failures.pop(look, None)

    def _put_off(self, look: _Look, why: str) -> None:
        """Others are not to wait for what cannot be put right."""
        failures = self._failures[look] = self._failures.get(look, 0) + 1
        delay_s = min(FIRST_RETRY_S * 2 ** min(failures - 1, 20), LONGEST_RETRY_S)
        self._later[look] = self._parts.clock.monotonic() + delay_s
        log.warning(
            "%s could not be put right, again in %g s: %s", "/".join(filter(None, look[1])), delay_s, why
        )

    def _look_behind(self, served: Served, gone: Cached) -> None:
        """Note what one that is gone may have left, or may be missed by."""
        try:
            obj = served.decode(gone)
            if served is self._services:
                self._addresses_due |= {("", canonical(address)): None for address in cluster_addresses(obj)}
            elif is_of_a_service(obj):
                self._services_due[parent_of(obj).get("namespace") or "", parent_of(obj)["name"]] = None
        except Exception:
            log.exception("%s made no sense; nobody looks for what it left", gone.key)

    async def _check_service(self, key: Key) -> None:
        cached = self._services.get(*key)
        if cached is None:
            return
        service = self._services.decode(cached)
        for text in cluster_addresses(service):
            parsed, address = parse(text), canonical(text)
            which = f"[{family_of(address)}]: {address}"
            if parsed is None:
                said = "Cluster IP <nil> is not a valid IP; please recreate Service"
                self._tell(service, "ClusterIPNotValid", said)
            elif not self._allocator.addresses.is_in_range(address):
                said = (
                    f"Cluster IP {which} is not within any configured Service CIDR; please recreate service"
                )
                self._tell(service, "ClusterIPOutOfRange", said)
            else:
                await self._check_its(service, address, which)

    async def _check_its(self, service: Object, address: str, which: str) -> None:
        """Whether the address is the Service's, and only its."""
        namespace, name = namespace_of(service), name_of(service)
        cached = self._addresses.get("", address)
        if cached is None:
            said = f"Cluster IP {which} is not allocated; repairing"
            self._tell(service, "ClusterIPNotAllocated", said)
            await self._give(service, address, None)
            return
        found = self._addresses.decode(cached)
        if not belongs_to(found, namespace, name):
            if self._has(parent_of(found), address) and is_of_a_service(found):
                said = f"Cluster IP {which.replace(': ', ':')} was assigned to multiple services; "
                self._tell(service, "ClusterIPAlreadyAllocated", f"{said}please recreate service")
                return
            said = f"the ClusterIP {which} for Service {namespace}/{name} has a wrong reference; repairing"
            self._tell(service, "ClusterIPNotAllocated", said)
        elif has_right_labels(found):
            self._addresses_due.pop(("", address), None)
            return
        if metadata(found).get("finalizers"):
            await self._delete(address)
            self._put_off((True, (namespace, name)), f"IPAddress {address} is held by its finalizers")
            return
        await self._give(service, address, cached)

    def _has(self, parent: Object, address: str) -> bool:
        """Whether the Service an IPAddress names says that it has the address."""
        cached = self._services.get(parent.get("namespace") or "", parent.get("name") or "")
        held = cluster_addresses(self._services.decode(cached)) if cached is not None else []
        return address in map(canonical, held)

    async def _check_address(self, key: Key) -> None:
        cached = self._addresses.get(*key)
        if cached is None:
            self._check_owed(key[1])
            return
        found = self._addresses.decode(cached)
        if not is_managed(found):
            return
        parent, name = parent_of(found), name_of(found)
        said = f"IPAddress: {name} for Service {parent.get('namespace', '')}/{parent.get('name', '')}"
        if not is_of_a_service(found):
            what = f"not referencing a Service {_as_go_says(parent)}: cleaning up"
            said = f"IPAddress {name} appears to have been modified, {what}"
            self._tell(found, "IPAddressNotAllocated", said)
        elif self._services.get(parent.get("namespace") or "", parent.get("name") or "") is None:
            age = self._parts.now() - parse_time(metadata(found)["creationTimestamp"])
            if age <= GRACE:
                left_s = (GRACE - age).total_seconds()
                self._later[False, key] = self._parts.clock.monotonic() + max(left_s, 0) + 1
                return
            self._tell(found, "IPAddressNotAllocated", f"{said} appears to have leaked: cleaning up")
        elif self._has(parent, name):
            return
        else:
            self._tell(found, "IPAddressWrongReference", f"{said} has a wrong reference; cleaning up")
        await self._delete(name)

    def _check_owed(self, address: str) -> None:
        """An address without an IPAddress is kept for a Service as long as that says it has it."""
        holder = self._allocator.addresses.holder_owed(address)
        if holder is None:
            return
        if self._has({"namespace": holder[0], "name": holder[1]}, address):
            self._services_due[holder] = None
        else:
            self._allocator.addresses.pay(address, holder)

    async def _give(self, service: Object, address: str, instead_of: Cached | None) -> None:
        with self._parts.storing("create", IP_ADDRESSES):
            await self._allocator.give(service, address, instead_of)

    async def _delete(self, address: str) -> None:
        try:
            await self._client.delete(IP_ADDRESSES, address)
        except ApiError as error:
            if error.code != 404:
                raise

    def _tell(self, obj: Object, reason: str, message: str) -> None:
        log.warning("%s %s: %s", obj.get("kind"), key_of(obj), message)
        action = FOR_SERVICES if obj.get("kind") == SERVICES.kind else FOR_ADDRESSES
        self._events.event(obj, WARNING, reason, message, action=action)


def _keys(served: Served) -> dict[Key, None]:
    return {(one.namespace, one.name): None for one in served.cacher.list("")[0]}


def _as_go_says(parent: Object) -> str:
    """A ParentReference as Go prints it."""
    said = (
        (field.capitalize(), parent.get(field, "")) for field in ("group", "resource", "namespace", "name")
    )
    return f"&ParentReference{{{''.join(f'{field}:{value},' for field, value in said)}}}"
