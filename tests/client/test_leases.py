"""Heartbeats under a clock moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.client.fake_transport import FakeTransport
from wherry.client.api import Client
from wherry.client.leases import LeaseKeeper
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
