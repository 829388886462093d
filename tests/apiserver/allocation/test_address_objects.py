"""Every cluster address has its IPAddress, which comes and goes with the Service, whatever comes between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.allocation.services import create, given, service
from tests.apiserver.rig import ADMIN, Rig, api_server, running
from wherry.api.core.services import SERVICES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.apiserver.allocation import following
from wherry.apiserver.allocation.objects import ranges_of
from wherry.client.api import Client
from wherry.kit.clock import SystemClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, name_of
from wherry.store.base import Entry, OutOfSpace, StoreError, TransactingStore
from wherry.store.memory import MemoryStore
from wherry.store.sqlite import SqliteStore
from wherry.store.writes import Write

Opener = Callable[[Path], Awaitable[TransactingStore]]


async def open_memory(path: Path) -> TransactingStore:
    return MemoryStore(SystemClock())


async def open_sqlite(path: Path) -> TransactingStore:
    return await SqliteStore.open(path, SystemClock())


@pytest.fixture(params=[open_memory, open_sqlite], ids=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TransactingStore]:
    opened = await request.param(tmp_path / "store.db")
    yield opened
    await opened.close()


@asynccontextmanager
async def serving(store: TransactingStore, count: int = 1, **changes: Any) -> AsyncIterator[list[Client]]:
    """Clients of so many servers over one store."""
    servers = [api_server(store, SystemClock(), seed=1, **changes) for _ in range(count)]
    for server in servers:
        await server.start(listens=False)
    try:
        yield [Client(server.local_transport(ADMIN)) for server in servers]
    finally:
        for server in servers:
            await server.close()


async def test_what_one_says(rig: Rig) -> None:
    spec = await create(rig.admin, "a")
    made = await rig.admin.get(IP_ADDRESSES, spec["clusterIP"])
    meta = made["metadata"]
    assert all(meta.pop(field) for field in ("uid", "creationTimestamp", "resourceVersion"))
    assert made == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": spec["clusterIP"],
            "labels": {
                "ipaddress.kubernetes.io/ip-family": "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "a"}},
    }


async def test_it_comes_and_goes_with_the_service(rig: Rig) -> None:
    await create(rig.admin, "a", clusterIP="10.96.0.50")
    await create(rig.admin, "b", type="NodePort", clusterIP="10.96.0.51")
    await create(rig.admin, "headless", clusterIP="None")
    await create(rig.admin, "external", type="ExternalName", externalName="example.com", ports=[])
    assert await given(rig.admin) == {"10.96.0.50": "a", "10.96.0.51": "b"}
    name = {
        "spec": {"type": "ExternalName", "externalName": "b.example", "clusterIP": None, "clusterIPs": None}
    }
    await rig.admin.patch(SERVICES, "b", "default", name)
    assert await given(rig.admin) == {"10.96.0.50": "a"}
    await rig.admin.patch(
        SERVICES, "b", "default", {"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.52"}}
    )
    await rig.admin.delete(SERVICES, "a", "default")
    assert await given(rig.admin) == {"10.96.0.52": "b"}


async def test_it_goes_with_the_last_finalizer(rig: Rig) -> None:
    held = service("a", clusterIP="10.96.0.50")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await rig.admin.create(SERVICES, held)
    await rig.admin.delete(SERVICES, "a", "default")
    assert await given(rig.admin) == {"10.96.0.50": "a"}
    await rig.admin.patch(SERVICES, "a", "default", {"metadata": {"finalizers": None}})
    assert await given(rig.admin) == {}


async def test_what_is_not_stored_takes_nothing(rig: Rig) -> None:
    await create(rig.admin, "a", clusterIP="10.96.0.50")
    with pytest.raises(ApiError, match="already exists"):
        await create(rig.admin, "a", clusterIP="10.96.0.51")
    with pytest.raises(ApiError, match="provided port is not in the valid range"):
        await create(
            rig.admin, "b", type="NodePort", clusterIP="10.96.0.51", ports=[{"port": 80, "nodePort": 80}]
        )
    path, dry = "/api/v1/namespaces/default/services", "?dryRun=All"
    for asked in ({"clusterIP": "10.96.0.51"}, {}):
        status, told, _ = await rig.http("POST", path + dry, service("b", **asked))
        assert (status, bool(told["spec"]["clusterIP"])) == (201, True)
    assert (await rig.http("DELETE", f"{path}/a{dry}"))[0] == 200
    assert await given(rig.admin) == {"10.96.0.50": "a"}
    assert (await create(rig.admin, "b", clusterIP="10.96.0.51"))["clusterIP"] == "10.96.0.51"


async def test_both_are_written_at_once(store: TransactingStore) -> None:
    async with serving(store) as (admin,):
        made = await admin.create(SERVICES, service("a"))
        address = await admin.get(IP_ADDRESSES, made["spec"]["clusterIP"])
        revision = int(made["metadata"]["resourceVersion"])
        assert int(address["metadata"]["resourceVersion"]) == revision - 1
        gone = await admin.delete(SERVICES, "a", "default")
        last = int(gone["metadata"]["resourceVersion"])
        events = await store.events("/registry/", last - 1, store.revision, limit_bytes=100_000)
        kinds = [(event.deleted, event.entry.key.split("/")[2]) for event in events]
        assert kinds[:2] == [(True, "services"), (True, "ipaddresses")]


async def test_of_two_servers_one_gives_an_address_out(store: TransactingStore) -> None:
    async with serving(store, 2, service_cidr="10.96.0.0/27") as clients:
        asked = [create(clients[n % 2], f"s{n}", clusterIP="10.96.0.9") for n in range(10)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refusals = [outcome for outcome in outcomes if isinstance(outcome, ApiError)]
        assert len(refusals) == 9
        assert {error.code for error in refusals} == {422}
        assert all(
            "failed to allocate IP 10.96.0.9: provided IP is already allocated" in e.message for e in refusals
        )
        # All that is left of the range, by both at once, and one more each.
        specs = await asyncio.gather(*(create(clients[n % 2], f"any{n}") for n in range(28)))
        assert len({spec["clusterIP"] for spec in specs}) == 28
        assert len(await given(clients[0])) == 29
        for client in clients:
            with pytest.raises(ApiError) as full:
                await create(client, "more")
            why = "Internal error occurred: failed to allocate a serviceIP: range is full"
            assert (full.value.code, full.value.message) == (500, why)
        await clients[0].delete(SERVICES, "any5", "default")
        assert (await create(clients[1], "more"))["clusterIP"] == specs[5]["clusterIP"]


def before_the_next(
    store: TransactingStore, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], Awaitable[Any]]
) -> None:
    """Do something just before the next transaction, told the last part of its first key."""
    transact = store.transact

    async def late(writes: Sequence[Write]) -> Sequence[Entry]:
        monkeypatch.setattr(store, "transact", transact)
        await act(writes[0].key.rpartition("/")[2])
        return await transact(writes)

    monkeypatch.setattr(store, "transact", late)


async def test_an_address_that_another_server_was_faster_to_take(
    store: TransactingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(store, 2) as (here, there):
        before_the_next(store, monkeypatch, lambda address: create(there, "fast", clusterIP=address))
        slow = await create(here, "slow", type="NodePort")
        addresses = await given(here)
        assert sorted(addresses.values()) == ["fast", "slow"]
        assert addresses[slow["clusterIP"]] == "slow"
        before_the_next(store, monkeypatch, lambda address: create(there, "fast2", clusterIP=address))
        with pytest.raises(ApiError, match=r"IP 10\.96\.0\.7: provided IP is already allocated"):
            await create(here, "slow2", clusterIP="10.96.0.7")
        await create(here, "name", type="ExternalName", externalName="x.example", ports=[])
        before_the_next(store, monkeypatch, lambda address: create(there, "fast3", clusterIP=address))
        await here.patch(SERVICES, "name", "default", {"spec": {"type": "ClusterIP", "ports": [{"port": 1}]}})
        addresses = await given(here)
        assert sorted(addresses.values()) == ["fast", "fast2", "fast3", "name", "slow"]


async def test_an_address_that_is_written_while_its_service_goes(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(rig.admin, "a", clusterIP="10.96.0.50")
    label = {"metadata": {"labels": {"seen": "yes"}}}
    before_the_next(rig.store, monkeypatch, lambda _: rig.admin.patch(IP_ADDRESSES, "10.96.0.50", "", label))
    await rig.admin.delete(SERVICES, "a", "default")
    assert await given(rig.admin) == {}


async def test_a_store_that_fails_leaves_nothing(
    store: TransactingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the write, and after it: then both are there, and the address is known to be taken."""
    transact = store.transact

    async def failing(writes: Sequence[Write]) -> Sequence[Entry]:
        raise StoreError("the disk is gone")

    async def made_all_the_same(writes: Sequence[Write]) -> Sequence[Entry]:
        await transact(writes)
        raise StoreError("the answer was lost")

    async with serving(store) as (admin,):
        for fault, left in ((failing, {}), (made_all_the_same, {"10.96.0.50": "a"})):
            monkeypatch.setattr(store, "transact", fault)
            with pytest.raises(ApiError) as told:
                await create(admin, "a", clusterIP="10.96.0.50")
            assert told.value.code == 503
            monkeypatch.setattr(store, "transact", transact)
            assert await given(admin) == left
        with pytest.raises(ApiError, match="already allocated"):
            await create(admin, "b", clusterIP="10.96.0.50")
        await admin.delete(SERVICES, "a", "default")
        assert await given(admin) == {}
        await create(admin, "b", clusterIP="10.96.0.50")


async def test_services_of_former_versions_have_theirs_after_a_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with running(listens=False) as rig:
        await create(rig.admin, "a", clusterIP="10.96.0.50")
        await create(rig.admin, "b", clusterIP="10.96.0.51")
        for entry in (await rig.store.list("/registry/ipaddresses/")).entries:
            await rig.store.delete(entry.key, expected=entry.revision)
        store = rig.store
        async with running(store=store, listens=False) as later:
            assert await given(later.admin) == {"10.96.0.50": "a", "10.96.0.51": "b"}
            names = [name_of(one) for one in (await later.admin.list(IP_ADDRESSES)).items]
            assert "10.96.0.1" in names
            with pytest.raises(ApiError, match="already allocated"):
                await create(later.admin, "c", clusterIP="10.96.0.51")
    assert "3 of 3 addresses of services without an IPAddress have one now" in caplog.text


async def test_a_server_whose_store_is_full_starts_and_gives_nothing_out_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only through a server can room be made."""
    monkeypatch.setattr("wherry.apiserver.allocation.repair.Repair.follow", lambda _: None)
    async with running(listens=False) as rig:
        await create(rig.admin, "a", clusterIP="10.96.0.50")
        (entry,) = (await rig.store.list("/registry/ipaddresses/10.96.0.50")).entries
        await rig.store.delete(entry.key, expected=entry.revision)
        transact, is_full = MemoryStore.transact, True

        async def full(store: MemoryStore, writes: Sequence[Write]) -> Sequence[Entry]:
            if is_full:
                raise OutOfSpace
            return await transact(store, writes)

        monkeypatch.setattr(MemoryStore, "transact", full)
        async with running(store=rig.store, listens=False) as later:
            assert await given(later.admin) == {}
            is_full = False
            with pytest.raises(ApiError, match="already allocated"):
                await create(later.admin, "c", clusterIP="10.96.0.50")
            await create(later.admin, "c", clusterIP="10.96.0.51")


async def test_an_address_somebody_else_has_an_object_for_is_not_given_out(rig: Rig) -> None:
    other = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": "10.96.0.77"},
        "spec": {"parentRef": {"group": "gateway.networking.k8s.io", "resource": "gateways", "name": "g"}},
    }
    await rig.admin.create(IP_ADDRESSES, other)
    with pytest.raises(ApiError, match="already allocated"):
        await create(rig.admin, "a", clusterIP="10.96.0.77")
    await rig.admin.delete(IP_ADDRESSES, "10.96.0.77")
    await create(rig.admin, "a", clusterIP="10.96.0.77")


async def test_a_range_that_comes_is_read_and_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def cidr(number: int) -> Object:
        return {"metadata": {"name": f"c{number}"}, "spec": {"cidrs": [f"10.9.{number}.0/24"]}}

    for number in range(20):
        await rig.admin.create(SERVICE_CIDRS, cidr(number))
    read: list[str] = []

    def counted(service_cidr: Object) -> dict[str, bool]:
        read.append(name_of(service_cidr))
        return ranges_of(service_cidr)

    monkeypatch.setattr(following, "ranges_of", counted)
    await rig.admin.create(SERVICE_CIDRS, cidr(20))
    assert set(read) == {"c20"}
    await create(rig.admin, "a", clusterIP="10.9.20.7")
    await rig.admin.patch(SERVICE_CIDRS, "c3", "", {"metadata": {"labels": {"a": "b"}}})
    assert set(read) == {"c20", "c3"}
