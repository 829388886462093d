"""Seats: taken before work begins, given back whatever becomes of it, with some that no crowd can take."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, connected, request
from tests.apiserver.rig import ALICE, Rig, config_map, running
from tests.conftest import eventually
from wherry.api.coordination.leases import LEASES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.apiserver.request import request_info
from wherry.apiserver.seats import Room, seats_beside
from wherry.apiserver.user import AUTHENTICATED, MASTERS, NODES_GROUP, User
from wherry.objects.errors import ApiError

NODE = User("system:node:n", (NODES_GROUP, AUTHENTICATED))
SCHEDULER = User("system:kube-scheduler", (AUTHENTICATED,))
ADMIN = User("admin", (MASTERS, AUTHENTICATED))
RBAC = "rbac.authorization.k8s.io"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n"
POD = "/api/v1/namespaces/d/pods/p"


@pytest.mark.parametrize(
    ("user", "path", "beside"),
    [
        (ALICE, LEASE, 0),
        (NODE, LEASE, 100),
        (NODE, "/api/v1/nodes/n/status", 100),
        (NODE, POD, 50),
        (SCHEDULER, POD, 50),
    ],
)
def test_who_finds_seats_beside_everybodys(user: User, path: str, beside: int) -> None:
    assert seats_beside(user, request_info("PUT", path, {}), 200) == beside


def test_a_seat_is_given_back_whatever_becomes_of_the_work() -> None:
    room, info = Room("mutating", 1), request_info("PUT", POD, {})
    with room.seat(ALICE, info):
        assert room.taken == 1
    with pytest.raises(ValueError, match="broken"), room.seat(ALICE, info):
        raise ValueError("broken")
    assert room.taken == 0
    room.take(ALICE, info)
    with pytest.raises(ApiError) as refused, room.seat(ALICE, info):
        pass
    assert (refused.value.code, room.refused, room.taken) == (429, 1, 1)


def post(name: str) -> bytes:
    """A creation by one of the crowd."""
    body = json.dumps(config_map(name)).encode()
    return request("POST", CONFIG_MAPS, body, {"Authorization": "Bearer crowd-token"})


@asynccontextmanager
async def crowded() -> AsyncIterator[Rig]:
    """A server with five seats, on which the user `crowd` may do everything."""
    node = User("system:node:n", (NODES_GROUP, AUTHENTICATED))
    crowd = User("crowd", (AUTHENTICATED,))
    tokens = {"admin-token": ADMIN, "node": node, "crowd-token": crowd}
    async with running(max_mutating_in_flight=5, tokens=tokens) as rig:
        binding = {
            "metadata": {"name": "crowd"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "crowd"}],
        }
        await rig.admin.create(CLUSTER_ROLE_BINDINGS, binding)
        yield rig


def slowly(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, Callable[[], int]]:
    """Let creations wait in the store until the event is set; and how many were there at most."""
    real, go, now, most = rig.store.create, asyncio.Event(), 0, 0

    async def create(*arguments: Any, **more: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            await go.wait()
            return await real(*arguments, **more)
        finally:
            now -= 1

    monkeypatch.setattr(rig.store, "create", create)
    return go, lambda: most


async def test_what_comes_at_once_is_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with crowded() as rig, AsyncExitStack() as stack:
        go, most = slowly(rig, monkeypatch)
        peers = [await stack.enter_async_context(connected(rig.server.port)) for _ in range(60)]
        for number, peer in enumerate(peers):
            peer.writer.write(post(f"m{number}"))
        replies = [asyncio.ensure_future(peer.reply()) for peer in peers]
        refused, waiting = await asyncio.wait(replies, timeout=60.0, return_when=asyncio.FIRST_COMPLETED)
        while len(waiting) > 5:
            done, waiting = await asyncio.wait(waiting, timeout=60.0, return_when=asyncio.FIRST_COMPLETED)
            assert done
            refused |= done
        go.set()
        codes = Counter([(await reply).code for reply in replies])
        assert codes == {201: 5, 429: 55}
        assert most() == 5
        assert rig.server.metrics.seats.mutating.taken == 0


async def test_clients_that_leave_before_they_are_answered_take_no_seat_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with crowded() as rig:
        go, _ = slowly(rig, monkeypatch)
        for number in range(20):
            async with connected(rig.server.port) as peer:
                peer.writer.write(post(f"m{number}"))
                await peer.writer.drain()
        go.set()
        status, _, _ = await rig.http("POST", CONFIG_MAPS, config_map("last"), token="crowd-token")
        assert status in (201, 429)

        async def all_are_free() -> bool:
            return rig.server.metrics.seats.mutating.taken == 0

        await eventually(all_are_free)
        assert (await rig.http("POST", CONFIG_MAPS, config_map("truly-last")))[0] == 201


async def test_no_crowd_keeps_a_node_from_renewing_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    async with crowded() as rig:
        lease = {"metadata": {"name": "n", "namespace": "kube-node-lease"}, "spec": {"holderIdentity": "n"}}
        await rig.admin.create(LEASES, lease)
        async with AsyncExitStack() as stack:
            go, most = slowly(rig, monkeypatch)
            for number in range(50):
                peer = await stack.enter_async_context(connected(rig.server.port))
                peer.writer.write(post(f"m{number}"))

            async def is_full() -> bool:
                return most() == 5

            await eventually(is_full)
            for second in range(20):
                patch = {"spec": {"renewTime": f"2026-01-01T00:00:{second:02}.000000Z"}}
                headers = {"Content-Type": "application/merge-patch+json"}
                body = json.dumps(patch)
                status, answer, _ = await rig.http("PATCH", LEASE, body, token="node", headers=headers)
                assert status == 200, answer
            status, _, _ = await rig.http("POST", CONFIG_MAPS, config_map("one-more"), token="crowd-token")
            assert status == 429, "for everybody else it is full"
            asked = (rig.http("POST", CONFIG_MAPS, config_map(f"a{number}")) for number in range(20))
            by_admin = [asyncio.ensure_future(one) for one in asked]
            room = rig.server.metrics.seats.mutating
            await eventually(lambda: room.exempt == 20)
            assert room.taken == 5, "who is exempt takes nobody's seat"
            go.set()
            assert {(await made)[0] for made in by_admin} == {201}
            assert room.exempt == 0
