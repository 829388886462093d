"""Leases under a clock moved by hand: heartbeats, taking over, stepping down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.client.api import Client
from wherry.client.leases import ElectionConfig, LeaderElection, LeaseKeeper
from wherry.client.transport import JSON
from wherry.kit.clock import FakeClock, settle
from wherry.objects.errors import service_unavailable
from wherry.objects.meta import Object


@pytest.fixture
def server() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def lease(server: FakeTransport) -> Object:
    (found,) = server.objects.values()
    return found


async def test_a_keeper_renews_every_ten_seconds(server: FakeTransport, clock: FakeClock) -> None:
    owner: Object = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u"}
    keeper = LeaseKeeper(Client(server), clock, "n1", owner=lambda: owner)
    keeper.start()
    await settle()
    assert lease(server)["spec"] == {
        "holderIdentity": "n1",
        "leaseDurationSeconds": 40,
        "renewTime": "2026-01-01T00:00:00.000000Z",
    }
    assert lease(server)["metadata"]["ownerReferences"] == [owner]
    await clock.advance(25)
    assert lease(server)["spec"]["renewTime"] == "2026-01-01T00:00:20.000000Z"
    await keeper.close()


async def test_a_keeper_survives_an_absent_server(server: FakeTransport, clock: FakeClock) -> None:
    server.fail(service_unavailable("no"), service_unavailable("no"))
    keeper = LeaseKeeper(Client(server), clock, "n1")
    keeper.start()
    await settle()
    await clock.advance(1)
    assert lease(server)["spec"]["holderIdentity"] == "n1"
    await keeper.close()


def leads(candidate: LeaderElection) -> bool:
    return candidate.is_leader


def candidate(server: FakeTransport, clock: FakeClock, identity: str) -> LeaderElection:
    config = ElectionConfig(name="scheduler", identity=identity)
    return LeaderElection(Client(server), clock, Random(1), config)


async def test_one_of_two_leads_and_the_other_follows_when_it_dies(
    server: FakeTransport, clock: FakeClock
) -> None:
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    holding = asyncio.ensure_future(first.hold())
    waiting = asyncio.ensure_future(second.acquire())
    await clock.advance(60)
    assert leads(first)
    assert not leads(second)

    holding.cancel()
    await clock.advance(14)
    assert not leads(second)
    await clock.advance(10)
    assert leads(second)
    assert lease(server)["spec"]["holderIdentity"] == "b"
    assert lease(server)["spec"]["leaseTransitions"] == 1
    await waiting


async def test_a_leader_that_cannot_renew_steps_down(server: FakeTransport, clock: FakeClock) -> None:
    leader = candidate(server, clock, "a")
    await leader.acquire()
    server.refuse = lambda call: service_unavailable("away")
    holding = asyncio.ensure_future(leader.hold())
    await settle()
    await clock.advance(8)
    assert leads(leader)
    await clock.advance(4)
    assert not leads(leader)
    await holding


async def test_a_released_lease_is_free_at_once(server: FakeTransport, clock: FakeClock) -> None:
    first, second = candidate(server, clock, "a"), candidate(server, clock, "b")
    await first.acquire()
    await first.release()
    await second.acquire()
    assert lease(server)["spec"]["holderIdentity"] == "b"


@pytest.mark.parametrize("fault", [RuntimeError("broken"), OSError("no descriptors"), KeyError("spec")])
async def test_a_heartbeat_survives_any_fault(
    server: FakeTransport, clock: FakeClock, fault: Exception
) -> None:
    keeper = LeaseKeeper(Client(server), clock, "n1")
    keeper.start()
    await settle()
    server.fail(fault)
    await clock.advance(11)
    assert lease(server)["spec"]["renewTime"] == "2026-01-01T00:00:10.200000Z"
    await keeper.close()


async def test_a_connection_that_is_dead_costs_ten_seconds_not_the_lease(clock: FakeClock) -> None:
    server = Hanging()
    keeper = LeaseKeeper(Client(server), clock, "n1")
    keeper.start()
    await settle()
    server.hangs = 1
    await clock.advance(10)
    await clock.advance(10)
    await clock.advance(0.2)
    assert lease(server)["spec"]["renewTime"] == "2026-01-01T00:00:20.200000Z"
    await keeper.close()


async def test_a_candidate_goes_on_after_a_fault(server: FakeTransport, clock: FakeClock) -> None:
    server.fail(RuntimeError("broken"))
    standing = candidate(server, clock, "a")
    leading = asyncio.ensure_future(standing.acquire())
    await settle()
    await clock.advance(5)
    await leading
    server.fail(OSError("no descriptors"))
    holding = asyncio.ensure_future(standing.hold())
    await clock.advance(30)
    assert leads(standing)
    holding.cancel()


class Hanging(FakeTransport):
    """A server whose next `hangs` calls are never answered."""

    hangs = 0

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        if self.hangs:
            self.hangs -= 1
            await asyncio.Event().wait()
        return await super().call(method, path, query, body, content_type)
