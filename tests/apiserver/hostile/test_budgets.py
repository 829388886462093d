"""Memory is given by who asks: what strangers leave unfinished keeps nobody else from being heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.apiserver.hostile.wire import CONFIG_MAPS, Peer, connected, head, request
from tests.apiserver.rig import Rig, config_map, running
from tests.conftest import eventually
from wherry.apiserver.body_budgets import STRANGERS_BYTES, TOGETHER_BYTES, USER_BYTES
from wherry.kit.clock import FakeClock

BODY = 3_000_000
NOBODY = {"Authorization": ""}
ALICE = {"Authorization": "Bearer alice-token"}
FORGED = {"Authorization": "Bearer nonsense"}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A server whose time stands still: what is unfinished stays so, however slow the machine."""
    async with running(FakeClock()) as found:
        yield found


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def unfinished(rig: Rig, stack: AsyncExitStack, who: dict[str, str], count: int) -> list[Peer]:
    """Connections that sent nearly all of a body."""
    peers = []
    for _ in range(count):
        peer = await stack.enter_async_context(connected(rig.server.port))
        await peer.send(head("POST", CONFIG_MAPS, who, Content_Length=str(BODY + 1)) + b" " * BODY)
        peers.append(peer)
    return peers


async def first_code(peers: list[Peer]) -> int:
    """The status of the first answer: which body was one too many depends on how fast each arrived."""
    replies = [asyncio.ensure_future(peer.reply()) for peer in peers]
    done, waiting = await asyncio.wait(replies, return_when=asyncio.FIRST_COMPLETED)
    for reply in waiting:
        reply.cancel()
    return next(iter(done)).result().code


@pytest.mark.parametrize("who", [NOBODY, FORGED], ids=["nobody", "a forged token"])
async def test_strangers_have_little_and_take_nothing_from_others(
    rig: Rig, stack: AsyncExitStack, who: dict[str, str]
) -> None:
    peers = await unfinished(rig, stack, who, 6)
    assert await first_code(peers) == 429
    body = json.dumps(config_map("a", text="x" * 500_000)).encode()
    for token in (ALICE, {}):
        async with connected(rig.server.port) as peer:
            await peer.send(request("POST", CONFIG_MAPS, body, {**token, "Content-Type": "application/json"}))
            assert (await peer.reply()).code == (403 if token else 201)


async def test_a_user_has_a_budget_that_is_not_the_systems(rig: Rig, stack: AsyncExitStack) -> None:
    peers = await unfinished(rig, stack, ALICE, USER_BYTES // BODY + 1)
    assert await first_code(peers) == 429
    body = json.dumps(config_map("a", text="x" * 500_000)).encode()
    async with connected(rig.server.port) as peer:
        await peer.send(request("POST", CONFIG_MAPS, body, {"Content-Type": "application/json"}))
        assert (await peer.reply()).code == 201


async def test_what_is_given_up_is_given_back(rig: Rig) -> None:
    count = STRANGERS_BYTES // BODY
    for _ in range(3):
        async with AsyncExitStack() as stack:
            await unfinished(rig, stack, NOBODY, count)
            await eventually(lambda: rig.server.budgets.together.bytes > (count - 1) * BODY)
        await eventually(lambda: rig.server.budgets.together.bytes == 0)
    assert STRANGERS_BYTES < USER_BYTES < TOGETHER_BYTES


async def test_unfinished_heads_of_strangers_have_what_strangers_have(
    rig: Rig, stack: AsyncExitStack
) -> None:
    """Whoever shows no certificate: a token is in a head that is not there yet."""
    count = STRANGERS_BYTES // 60_000
    peers = []
    for _ in range(count + 1):
        peer = await stack.enter_async_context(connected(rig.server.port))
        await peer.send(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 60_000)
        peers.append(peer)
    assert await first_code(peers) == 429
    assert rig.server.budgets.strangers.bytes <= STRANGERS_BYTES
    async with connected(rig.server.port) as peer:
        await peer.send(request("GET", CONFIG_MAPS))
        assert (await peer.reply()).code == 200, "whoever says at once what they want is heard"
    await stack.aclose()
    await eventually(lambda: rig.server.budgets.together.bytes == 0)


async def test_who_asked_before_does_not_share_with_strangers(rig: Rig, stack: AsyncExitStack) -> None:
    """Heads of clients with tokens come in two pieces as well, while strangers leave none of their room."""
    known = await stack.enter_async_context(connected(rig.server.port))
    await known.send(request("GET", CONFIG_MAPS))
    assert (await known.reply()).code == 200
    strangers = []
    for _ in range(STRANGERS_BYTES // 60_000):
        peer = await stack.enter_async_context(connected(rig.server.port))
        await peer.send(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 60_000)
        strangers.append(peer)
    await eventually(lambda: rig.server.budgets.strangers.bytes > STRANGERS_BYTES - 60_000)
    whole = request("GET", CONFIG_MAPS, headers={"X-Long": "a" * 60_000})
    await known.send(whole[:60_000])
    await eventually(lambda: sum(one.bytes for one in rig.server.budgets._users.values()) > 50_000)
    await known.send(whole[60_000:])
    assert (await known.reply()).code == 200
