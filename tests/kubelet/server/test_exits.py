"""Waiting for containers to end."""

from __future__ import annotations

import asyncio

from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.kubelet.server.exits import Exits

SANDBOX = SandboxSpec(name="p", namespace="default", uid="u")


async def start(runtime: FakeRuntime, name: str) -> str:
    known = await runtime.sandboxes("u")
    sandbox_id = known[0].id if known else await runtime.run_sandbox(SANDBOX)
    container_id = await runtime.create_container(
        sandbox_id, SANDBOX, ContainerSpec(name=name, attempt=0, image="img")
    )
    await runtime.start_container(container_id)
    return container_id


async def test_waiters_are_woken_by_their_containers_end() -> None:
    runtime = FakeRuntime(FakeClock(), [Image("img", ("img",), 1)])
    one, two = await start(runtime, "one"), await start(runtime, "two")
    exits = Exits(runtime)
    first = asyncio.ensure_future(exits.wait(one, "u"))
    also_first = asyncio.ensure_future(exits.wait(one, "u"))
    second = asyncio.ensure_future(exits.wait(two, "u"))
    await settle()
    runtime.finish(one, 0)
    await settle()
    assert first.done()
    assert also_first.done()
    assert not second.done()
    runtime.finish(two, 0)
    await settle()
    assert second.done()
    await exits.close()


async def test_what_has_ended_needs_no_event() -> None:
    runtime = FakeRuntime(FakeClock(), [Image("img", ("img",), 1)])
    container_id = await start(runtime, "one")
    runtime.finish(container_id, 0)
    exits = Exits(runtime)
    await exits.wait(container_id, "u")
    await exits.wait("never was", "u")
    await exits.close()


async def test_lost_events_make_everybody_look() -> None:
    runtime = FakeRuntime(FakeClock(), [Image("img", ("img",), 1)])
    container_id = await start(runtime, "one")
    exits = Exits(runtime)
    waiting = asyncio.ensure_future(exits.wait(container_id, "u"))
    await settle()
    runtime.silent = True
    runtime.finish(container_id, 0)
    await settle()
    assert not waiting.done()
    runtime.silent = False
    runtime.lose_events()
    await settle()
    assert waiting.done()
    await exits.close()
