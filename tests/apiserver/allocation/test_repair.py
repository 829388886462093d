"""Services and IPAddresses are brought together again when somebody wrote one of them by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.apiserver.allocation.services import create, given, service
from tests.apiserver.rig import Rig, running
from tests.conftest import eventually
from wherry.api.core.events import EVENTS
from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.allocation.objects import address_object
from wherry.apiserver.allocation.repair import Repair
from wherry.apiserver.allocation.services import ServiceAllocator
from wherry.apiserver.encoding import decode, encode_stored
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError, forbidden
from wherry.objects.meta import Object, labels_of
from wherry.store.base import Entry, KeyExists, OutOfSpace, RevisionMismatch


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def rig(clock: FakeClock) -> AsyncIterator[Rig]:
    async with running(clock, listens=False) as made:
        await create(made.admin, "a", clusterIP="10.96.0.50")
        yield made


async def told(rig: Rig) -> list[tuple[str, str]]:
    """What was told, and why."""
    events = (await rig.admin.list(EVENTS)).items
    assert {one["source"]["component"] for one in events} <= {"ipallocator-repair-controller"}
    assert {one["type"] for one in events} <= {"Warning"}
    return [(one["reason"], one["message"]) for one in events]


async def until_told(rig: Rig, *expected: tuple[str, str]) -> None:
    async def is_told() -> bool:
        return set(await told(rig)) >= set(expected)

    await eventually(is_told)
    assert set(await told(rig)) == set(expected)


async def until_given(rig: Rig, expected: dict[str, str]) -> None:
    async def is_given() -> bool:
        return await given(rig.admin) == expected

    await eventually(is_given)


async def write(rig: Rig, key: str, **changes: Any) -> None:
    """Change a stored object's spec past the API."""
    entry = await rig.store.get(key)
    assert entry is not None
    obj = decode(entry.value)
    obj["spec"].update(changes)
    await rig.store.update(key, encode_stored(obj), expected=entry.revision)


async def store_service(rig: Rig, name: str, address: str) -> None:
    """Put a Service into the store past the API, as restoring one does."""
    spec = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address]}
    made = service(name, **spec)
    made["metadata"] |= {"uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    await rig.store.create(SERVICES.key("default", name), encode_stored(made))


NOT_ALLOCATED = ("ClusterIPNotAllocated", "Cluster IP [IPv4]: 10.96.0.50 is not allocated; repairing")


async def test_a_deleted_address_comes_back(rig: Rig) -> None:
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    await until_given(rig, {"10.96.0.50": "a"})
    await until_told(rig, NOT_ALLOCATED)


async def test_a_service_that_was_stored_past_the_api_gets_its_address(rig: Rig) -> None:
    await store_service(rig, "b", "10.96.0.51")
    await until_given(rig, {"10.96.0.50": "a", "10.96.0.51": "b"})
    await until_told(
        rig, ("ClusterIPNotAllocated", "Cluster IP [IPv4]: 10.96.0.51 is not allocated; repairing")
    )


async def test_labels_are_put_right(rig: Rig) -> None:
    label = {"metadata": {"labels": {"ipaddress.kubernetes.io/ip-family": "IPv6"}}}
    await rig.admin.patch(IP_ADDRESSES, "10.96.0.50", "", label)

    async def is_right() -> bool:
        found = (await rig.admin.list(IP_ADDRESSES)).items
        return [labels_of(one)["ipaddress.kubernetes.io/ip-family"] for one in found] == ["IPv4", "IPv4"]

    await eventually(is_right)
    assert await told(rig) == []


async def test_an_address_that_refers_to_something_else(rig: Rig) -> None:
    key = IP_ADDRESSES.key("", "10.96.0.50")
    await write(rig, key, parentRef={"group": "example.com", "resource": "gateways", "name": "g"})
    await until_given(rig, {"10.96.0.50": "a"})
    why = "the ClusterIP [IPv4]: 10.96.0.50 for Service default/a has a wrong reference; repairing"
    await until_told(rig, ("ClusterIPNotAllocated", why))


async def test_two_services_with_one_address(rig: Rig) -> None:
    await store_service(rig, "b", "10.96.0.50")
    why = "Cluster IP [IPv4]:10.96.0.50 was assigned to multiple services; please recreate service"
    await until_told(rig, ("ClusterIPAlreadyAllocated", why))
    await rig.admin.delete(SERVICES, "b", "default")
    assert await given(rig.admin) == {"10.96.0.50": "a"}, "it was never the other's"


async def test_addresses_of_no_range(rig: Rig) -> None:
    await store_service(rig, "b", "10.97.0.1")
    await store_service(rig, "c", "10.97.0.999")
    what = "Cluster IP [IPv4]: 10.97.0.1 is not within any configured Service CIDR; please recreate service"
    wrong = ("ClusterIPNotValid", "Cluster IP <nil> is not a valid IP; please recreate Service")
    await until_told(rig, ("ClusterIPOutOfRange", what), wrong)
    assert await given(rig.admin) == {"10.96.0.50": "a"}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR"}
    more = {**kind, "metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.0.0/24"]}}
    await rig.admin.create(SERVICE_CIDRS, more)
    await until_given(rig, {"10.96.0.50": "a", "10.97.0.1": "b"})


def address(name: str, parent: str, **changes: Any) -> Object:
    made = address_object(name, "default", parent)
    made["spec"]["parentRef"].update(changes)
    return made


async def test_addresses_of_nobody_go(rig: Rig, clock: FakeClock) -> None:
    """One whose Service is not there after a minute: it might be about to be created."""
    await rig.admin.create(IP_ADDRESSES, address("10.96.0.60", "nobody"))
    await rig.admin.create(IP_ADDRESSES, address("10.96.0.61", "a"))
    await rig.admin.create(IP_ADDRESSES, address("10.96.0.62", "g", group="x.io", resource="gateways"))
    others = address("10.96.0.63", "nobody")
    others["metadata"]["labels"] = {}
    await rig.admin.create(IP_ADDRESSES, others)
    kept = {"10.96.0.50": "a", "10.96.0.60": "nobody", "10.96.0.63": "nobody"}
    await until_given(rig, kept)
    reference = "&ParentReference{Group:x.io,Resource:gateways,Namespace:default,Name:g,}"
    modified = f"appears to have been modified, not referencing a Service {reference}: cleaning up"
    at_once = (
        ("IPAddressNotAllocated", f"IPAddress 10.96.0.62 {modified}"),
        (
            "IPAddressWrongReference",
            "IPAddress: 10.96.0.61 for Service default/a has a wrong reference; cleaning up",
        ),
    )
    await until_told(rig, *at_once)
    await clock.advance(55)
    assert await given(rig.admin) == kept
    await clock.advance(10)
    await until_given(rig, {"10.96.0.50": "a", "10.96.0.63": "nobody"})
    leaked = "IPAddress: 10.96.0.60 for Service default/nobody appears to have leaked: cleaning up"
    await until_told(rig, *at_once, ("IPAddressNotAllocated", leaked))


async def test_the_api_itself_leaves_nothing_to_repair(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one change is one look, however many Services there are."""
    looks: list[tuple[str, str]] = []
    check_service, check_address = Repair._check_service, Repair._check_address

    async def service_looked_at(self: Repair, key: tuple[str, str]) -> None:
        looks.append(key)
        await check_service(self, key)

    async def address_looked_at(self: Repair, key: tuple[str, str]) -> None:
        looks.append(key)
        await check_address(self, key)

    monkeypatch.setattr(Repair, "_check_service", service_looked_at)
    monkeypatch.setattr(Repair, "_check_address", address_looked_at)
    for number in range(20):
        await create(rig.admin, f"s{number}")
    looks.clear()
    await create(rig.admin, "last")
    await rig.admin.patch(SERVICES, "last", "default", {"metadata": {"labels": {"a": "b"}}})
    await rig.admin.delete(SERVICES, "last", "default")

    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    await until_told(rig, NOT_ALLOCATED)
    assert set(looks) <= {("default", "last"), ("default", "a"), ("", "10.96.0.50")}


async def test_an_address_without_its_object_is_given_to_nobody_else(
    rig: Rig, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the deletion of its IPAddress until there is one again, however long that takes."""
    give, tries = ServiceAllocator.give, 0

    async def fails_once(self: ServiceAllocator, *arguments: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RevisionMismatch("k", 1, Entry("k", b"{}", 2, 1))
        await give(self, *arguments)

    monkeypatch.setattr(ServiceAllocator, "give", fails_once)
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        await create(rig.admin, "b", clusterIP="10.96.0.50")
    await eventually(lambda: tries == 1)
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        await create(rig.admin, "b", clusterIP="10.96.0.50")
    assert await given(rig.admin) == {}
    await clock.advance(1)
    await until_given(rig, {"10.96.0.50": "a"})
    await rig.admin.delete(SERVICES, "a", "default")
    await create(rig.admin, "b", clusterIP="10.96.0.50")


async def test_an_address_that_is_owed_is_free_with_its_service(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: ServiceAllocator, *arguments: Any) -> None:
        raise KeyExists("k")

    monkeypatch.setattr(ServiceAllocator, "give", fails)
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    await rig.admin.delete(SERVICES, "a", "default")
    await create(rig.admin, "b", clusterIP="10.96.0.50")
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    # As another server on the store would remove it.
    key = SERVICES.key("default", "b")
    entry = await rig.store.get(key)
    assert entry is not None
    await rig.store.delete(key, expected=entry.revision)

    async def is_free() -> bool:
        return rig.server.core.services.addresses.holder_owed("10.96.0.50") is None

    await eventually(is_free)
    await create(rig.admin, "c", clusterIP="10.96.0.50")


async def test_a_wrong_object_is_replaced_at_once(rig: Rig) -> None:
    """Never is there none in between."""
    before = rig.store.revision
    await rig.admin.patch(IP_ADDRESSES, "10.96.0.50", "", {"metadata": {"labels": None}})
    old = rig.store.revision

    async def is_right() -> bool:
        return bool(labels_of(await rig.admin.get(IP_ADDRESSES, "10.96.0.50")))

    await eventually(is_right)
    events = await rig.store.events(IP_ADDRESSES.key("", ""), before, rig.store.revision, limit_bytes=100_000)
    assert [(one.deleted, one.entry.revision) for one in events] == [
        (False, old),
        (True, old + 1),
        (False, old + 2),
    ]


async def test_what_cannot_be_put_right_keeps_nothing_else_from_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: ServiceAllocator, *arguments: Any) -> None:
        raise forbidden("ipaddresses", "networking.k8s.io", "10.96.0.50", "a policy says so")

    monkeypatch.setattr(ServiceAllocator, "give", fails)
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.50")
    await rig.admin.create(IP_ADDRESSES, address("10.96.0.61", "a"))
    await until_given(rig, {})


async def test_an_address_somebody_holds_stays_until_they_let_go(rig: Rig) -> None:
    hold = {"metadata": {"finalizers": ["example.com/hold"]}}
    await rig.admin.patch(IP_ADDRESSES, "10.96.0.50", "", hold)
    await rig.admin.delete(SERVICES, "a", "default")
    held = await rig.admin.get(IP_ADDRESSES, "10.96.0.50")
    assert held["metadata"]["deletionTimestamp"]
    with pytest.raises(ApiError, match="provided IP is already allocated"):
        await create(rig.admin, "b", clusterIP="10.96.0.50")
    await rig.admin.patch(IP_ADDRESSES, "10.96.0.50", "", {"metadata": {"finalizers": None}})
    await create(rig.admin, "b", clusterIP="10.96.0.50")


async def test_what_others_write_while_a_write_fails_is_looked_at(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their event was taken for one of the write's own."""
    transact = rig.store.transact

    async def removes_and_fails(writes: Any) -> Any:
        if any(write.key == SERVICES.key("default", "a") for write in writes):
            entry = await rig.store.get(IP_ADDRESSES.key("", "10.96.0.50"))
            assert entry is not None
            await rig.store.delete(entry.key, expected=entry.revision)
            raise OutOfSpace
        return await transact(writes)

    monkeypatch.setattr(rig.store, "transact", removes_and_fails)
    change = {
        "spec": {"type": "ExternalName", "externalName": "a.example", "clusterIP": None, "clusterIPs": None}
    }
    with pytest.raises(ApiError, match="could not be stored"):
        await rig.admin.patch(SERVICES, "a", "default", change)
    await until_given(rig, {"10.96.0.50": "a"})
