"""Whether the runtime can be used, by how long ago it answered."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.runtime_state import ANSWER_S, DOWN_AFTER_S, RuntimeState
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image


class Setting:
    """A state, its runtime and its clock; `changes` counts what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime(self.clock, [Image("1", ("a",), 5)])
        self.pleg = ""
        self.changes = 0
        self.state = RuntimeState(self.runtime, self.clock, lambda: self.pleg, self.changed)

    def changed(self) -> None:
        self.changes += 1


async def test_one_that_answers() -> None:
    made = Setting()
    assert made.state.errors() == ["container runtime is down"], "nothing is known yet"
    await made.state.check()
    assert made.state.errors() == []
    assert [image.id for image in made.state.images] == ["1"]


async def test_one_that_hangs_is_down_after_a_while() -> None:
    made = Setting()
    await made.state.check()
    made.runtime.gates["status"] = asyncio.Event()
    for _ in range(4):
        check = asyncio.ensure_future(made.state.check())
        await settle()
        await made.clock.advance(ANSWER_S)
        with pytest.raises(TimeoutError):
            await check
    assert 4 * ANSWER_S > DOWN_AFTER_S
    assert made.state.errors() == ["container runtime is down"]
    assert made.changes == 1
    made.runtime.gates.clear()
    await made.state.check()
    assert made.state.errors() == []
    assert made.changes == 2


async def test_one_that_is_started_again_is_not_down_meanwhile() -> None:
    made = Setting()
    await made.state.check()
    made.runtime.failures["status"].append(RuntimeFailure("connection refused"))
    await made.clock.advance(10)
    with pytest.raises(RuntimeFailure):
        await made.state.check()
    assert made.state.errors() == []


async def test_images_that_cannot_be_listed_do_not_make_it_down() -> None:
    made = Setting()
    await made.state.check()
    made.runtime.gates["images"] = asyncio.Event()
    for _ in range(5):
        check = asyncio.ensure_future(made.state.check())
        await settle()
        await made.clock.advance(ANSWER_S)
        with pytest.raises(TimeoutError):
            await check
    assert made.state.errors() == []
    assert len(made.state.images) == 1


async def test_what_it_says_of_itself() -> None:
    made = Setting()
    fine = made.runtime.current_status
    made.runtime.current_status = replace(fine, network_ready=False, message="cni plugin not initialized")
    await made.state.check()
    why = "reason:NetworkPluginNotReady message:cni plugin not initialized"
    assert made.state.errors() == [f"container runtime network not ready: NetworkReady=false {why}"]
    made.runtime.current_status = replace(fine, ready=False, message="starting")
    await made.state.check()
    made.pleg = "PLEG is not healthy"
    assert made.state.errors() == [
        "PLEG is not healthy",
        "container runtime not ready: RuntimeReady=false message:starting",
    ]
