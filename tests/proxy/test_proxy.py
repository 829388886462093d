"""The proxy's loop over a backend that fails, hangs behind and is flushed, under a clock moved by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

import pytest

from tests.apiserver.rig import Rig, running
from tests.proxy.builders import endpoint, endpoint_slice, service
from wherry.api.core.nodes import NODES
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.kit.clock import FakeClock, settle
from wherry.network.tool import ToolNotRun
from wherry.objects.meta import name_of
from wherry.proxy import proxy as module
from wherry.proxy.backends.base import BackendError
from wherry.proxy.model import Model
from wherry.proxy.proxy import Proxy

FAULTS = [
    BackendError("the lock is held"),
    OSError("no process to be had"),
    RuntimeError("broken"),
    KeyError("spec"),
]


OWN = "default/kubernetes:https"
"""The API server's own service, which is always there."""


class FakeBackend:
    """Writes down what it is given but `OWN`; `faults` are raised first, one each."""

    def __init__(self) -> None:
        self.applied: list[list[str]] = []
        self.changed: list[set[str]] = []
        self.reached: list[list[str]] = []
        """The addresses traffic may go to, each time."""
        self.faults: list[Exception] = []
        self.intact = True

    async def apply(self, model: Model, changed: Collection[str]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        ports = [port for key in sorted(model) for port in model[key] if port.name != OWN]
        self.applied.append([port.name for port in ports])
        self.reached.append([found.ip for port in ports for found in port.internal])
        self.changed.append(set(changed) - {OWN.rpartition(":")[0]})
        self.intact = True

    async def is_intact(self) -> bool:
        if self.faults:
            raise self.faults.pop(0)
        return self.intact

    async def remove(self) -> None:
        self.applied.clear()


class Conntrack:
    """Stands in for the tool: what it was told to forget; `faults` are raised first, one each."""

    def __init__(self) -> None:
        self.forgotten: list[Sequence[str]] = []
        self.faults: list[Exception] = []

    async def flush(self, arguments: Sequence[str]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.forgotten.append(arguments)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[Rig]:
    async with running(clock, listens=False) as made:
        yield made


@pytest.fixture
def client(server: Rig) -> Client:
    return server.admin


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def conntrack(monkeypatch: pytest.MonkeyPatch) -> Conntrack:
    fake = Conntrack()
    monkeypatch.setattr(module, "flush", fake.flush)
    return fake


@pytest.fixture
async def proxy(
    client: Client, backend: FakeBackend, clock: FakeClock, conntrack: Conntrack
) -> AsyncIterator[Proxy]:
    proxy = Proxy(client, backend, "here", clock)
    yield proxy
    await proxy.close()


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_update_that_fails_once_is_made_again(
    proxy: Proxy, client: Client, backend: FakeBackend, clock: FakeClock, fault: Exception
) -> None:
    await proxy.start()
    backend.faults.append(fault)
    await client.create(SERVICES, service())
    await settle()
    assert backend.applied == [[]]
    await clock.advance(1)
    assert backend.applied == [[], ["default/web"]]
    await client.create(SERVICES, service("other", clusterIP="10.96.0.11"))
    await settle()
    assert backend.applied[-1] == ["default/other", "default/web"]


async def test_only_what_changed_is_handed_on_and_what_failed_is_again(
    proxy: Proxy, client: Client, backend: FakeBackend, clock: FakeClock
) -> None:
    for number in range(3):
        await client.create(SERVICES, service(f"s{number}", clusterIP=f"10.96.0.{20 + number}"))
    await proxy.start()
    assert backend.changed[0] == {"default/s0", "default/s1", "default/s2"}
    await client.create(ENDPOINT_SLICES, endpoint_slice("s1", endpoint("10.244.0.2")))
    await settle()
    assert backend.changed[1:] == [{"default/s1"}]
    backend.faults.append(BackendError("not now"))
    await client.create(ENDPOINT_SLICES, endpoint_slice("s2", endpoint("10.244.0.3")))
    await settle()
    await client.delete(SERVICES, "s0", "default")
    await settle()
    await clock.advance(5)
    assert set().union(*backend.changed[2:]) == {"default/s0", "default/s2"}
    assert backend.applied[-1] == ["default/s1", "default/s2"]
    assert backend.reached[-1] == ["10.244.0.2", "10.244.0.3"]


@pytest.mark.parametrize("fault", [*FAULTS, None])
async def test_rules_that_were_flushed_are_put_back_within_half_a_minute(
    proxy: Proxy, client: Client, backend: FakeBackend, clock: FakeClock, fault: Exception | None
) -> None:
    await client.create(SERVICES, service())
    await proxy.start()
    assert backend.applied == [["default/web"]]
    await clock.advance(120)
    assert backend.applied == [["default/web"]], "nothing is done while they stand"
    backend.intact = False
    backend.faults += [fault] if fault else []
    await clock.advance(31)
    assert backend.applied == [["default/web"]] * 2
    await clock.advance(120)
    assert len(backend.applied) == 2


async def test_rules_that_were_flushed_are_put_back_while_services_go_on_changing(
    proxy: Proxy, client: Client, backend: FakeBackend, clock: FakeClock
) -> None:
    await client.create(SERVICES, service())
    await proxy.start()
    looks = 0
    look = backend.is_intact

    async def counted() -> bool:
        nonlocal looks
        looks += 1
        return await look()

    backend.is_intact = counted  # type: ignore[method-assign]
    for number in range(20):
        if number == 3:
            proxy.rules_removed()
        await client.create(SERVICES, service(f"s{number}", clusterIP=f"10.96.1.{number + 1}"))
        await clock.advance(5)
        if number == 4:
            assert looks == 1, "half a second after they were taken away"
    assert looks >= 3, "and every half minute"


@pytest.mark.parametrize("fault", [ToolNotRun("no process"), RuntimeError("broken")])
async def test_flows_are_owed_until_they_are_forgotten(
    proxy: Proxy, client: Client, conntrack: Conntrack, clock: FakeClock, fault: Exception
) -> None:
    udp = [{"port": 53, "protocol": "UDP"}]
    slices = endpoint_slice("web", endpoint("10.244.0.2"), port=53)
    slices["ports"][0]["protocol"] = "UDP"
    await client.create(SERVICES, service(ports=udp))
    stored = await client.create(ENDPOINT_SLICES, slices)
    await proxy.start()
    await settle()
    assert conntrack.forgotten == [("--orig-dst", "10.96.0.10")]
    conntrack.faults.append(fault)
    await client.update(ENDPOINT_SLICES, {**stored, "endpoints": []})
    await settle()
    assert len(conntrack.forgotten) == 1
    await clock.advance(1)
    assert conntrack.forgotten[1:] == [("--orig-dst", "10.96.0.10", "--dst-nat", "10.244.0.2")]


async def test_a_service_that_cannot_be_understood_costs_the_others_nothing(
    proxy: Proxy, client: Client, server: Rig, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    odd = service("odd", ports=[{"protocol": "TCP"}], clusterIP="10.96.0.12")
    await server.store_past_rules(SERVICES, odd)
    await client.create(SERVICES, service())
    await proxy.start()
    assert backend.applied == [["default/web"]]
    assert "service default/odd cannot be routed" in caplog.text


async def test_traffic_stays_in_the_zone_the_node_is_in_and_heartbeats_change_nothing(
    proxy: Proxy, client: Client, backend: FakeBackend
) -> None:
    entries = [
        {**endpoint(f"10.244.0.{number}"), "hints": {"forZones": [{"name": f"z{number}"}]}}
        for number in (2, 3)
    ]
    node = await client.create(NODES, {"metadata": {"name": "here"}})
    await client.create(NODES, {"metadata": {"name": "there", "labels": {module.ZONE: "z3"}}})
    await client.create(SERVICES, service())
    await client.create(ENDPOINT_SLICES, endpoint_slice("web", *entries))
    await proxy.start()
    await client.patch(NODES, "here", "", {"metadata": {"labels": {module.ZONE: "z2"}}})
    await settle()
    assert backend.reached == [["10.244.0.2", "10.244.0.3"], ["10.244.0.2"]]
    synced = proxy._syncing
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    poked: list[int] = []
    synced.poke = lambda: poked.append(1)  # type: ignore[method-assign]
    await client.patch(NODES, name_of(node), "", {"status": {"conditions": [ready]}}, subresource="status")
    await settle()
    assert poked == []
