"""Leases under a clock moved by hand: heartbeats, taking over, stepping down."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.client.api import Client
from wherry.client.leases import ElectionConfig, LeaderElection, LeaseKeeper
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
