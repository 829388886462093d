"""A node that goes down: its pods end first, by priority, and nobody new comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, Node, node
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.kubelet.config import Period
from wherry.kubelet.shutdown.logind import Logind
from wherry.kubelet.shutdown.record import read_record
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object

PERIODS = (Period(0, 20), Period(1000, 10))


@dataclass
class FakeInhibitor:
    """An `Inhibitor` on paper."""

    delay: float = 5.0
    obeys: bool = True
    preparing: bool = False
    steps: list[str] = field(default_factory=list)
    hangs: bool = False
    news: asyncio.Queue[bool | None] = field(default_factory=asyncio.Queue)

    async def connect(self) -> None:
        self.steps.append("connect")
        if self.hangs:
            await asyncio.Event().wait()

    async def delay_s(self) -> float:
        return self.delay

    async def set_delay(self, seconds: float) -> None:
        if self.obeys:
            self.delay = seconds

    async def hold(self) -> None:
        self.steps.append("hold")

    def release(self) -> None:
        self.steps.append("release")

    async def is_preparing(self) -> bool:
        return self.preparing

    async def change(self) -> bool:
        news = await self.news.get()
        if news is None:
            raise ConnectionError("gone")
        return news

    async def close(self) -> None:
        self.steps.append("close")

    def tell(self, is_beginning: bool) -> None:
        self.preparing = is_beginning
        self.news.put_nowait(is_beginning)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path, inhibitor=FakeInhibitor(), shutdown_periods=PERIODS) as running:
        await running.admin.create(
            PRIORITY_CLASSES, {"metadata": {"name": "high"}, "value": 5000, "globalDefault": False}
        )
        await holds(running.inhibitor)
        yield running


async def holds(inhibitor: FakeInhibitor, times: int = 1) -> None:
    await eventually(lambda: inhibitor.steps.count("hold") >= times)


async def node_is(made: Node, status: str) -> Object:
    found: Object = {}

    async def look() -> bool:
        nonlocal found
        conditions = (await made.admin.get(NODES, NODE))["status"]["conditions"]
        found = dict(find_condition(conditions, "Ready") or {})
        return bool(found["status"] == status)

    await eventually(look)
    return found


async def test_pods_end_by_priority_then_the_machine_may_go_down(made: Node) -> None:
    inhibitor: FakeInhibitor = made.inhibitor
    assert inhibitor.delay == 30.0
    await made.create("low", terminationGracePeriodSeconds=60)
    await made.create("high", priorityClassName="high", terminationGracePeriodSeconds=3)
    await made.ready("low")
    await made.ready("high")
    made.runtime.gates["stop_container"] = gate = asyncio.Event()
    inhibitor.tell(True)
    assert (await node_is(made, "False"))["message"] == "node is shutting down"
    assert (await made.status("high"))["phase"] == "Running"
    assert "release" not in inhibitor.steps
    assert read_record(made.config.root_dir).is_under_way("b")

    await made.create("late")
    late = await made.until("late", lambda status: status["phase"] == "Failed")
    assert (late["reason"], late["message"]) == (
        "NodeShutdown",
        "Pod was rejected as the node is shutting down.",
    )

    gate.set()
    made.runtime.gates.clear()
    for name in ("low", "high"):
        status = await made.until(name, lambda status: status["phase"] == "Failed")
        assert status["reason"] == "Terminated"
        assert status["message"] == "Pod was terminated in response to imminent node shutdown."
        target = find_condition(status["conditions"], "DisruptionTarget") or {}
        assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
    await eventually(lambda: "release" in inhibitor.steps)
    assert [grace for _, grace in made.runtime.stopped] == [20, 3]


async def test_who_takes_too_long_holds_nobody_up(made: Node) -> None:
    inhibitor: FakeInhibitor = made.inhibitor
    await made.create("stuck")
    await made.ready("stuck")
    made.runtime.gates["stop_container"] = asyncio.Event()
    inhibitor.tell(True)
    await node_is(made, "False")

    async def released() -> bool:
        await made.clock.advance(5)
        return "release" in inhibitor.steps

    await eventually(released)
    made.runtime.gates.clear()


async def test_a_shutdown_that_is_called_off(made: Node) -> None:
    inhibitor: FakeInhibitor = made.inhibitor
    inhibitor.tell(True)
    await node_is(made, "False")
    inhibitor.tell(False)
    await node_is(made, "True")
    await holds(inhibitor, 2)
    await made.create("web")
    await made.ready("web")
    assert not read_record(made.config.root_dir).is_under_way("b")


async def test_another_agent_knows(made: Node) -> None:
    inhibitor: FakeInhibitor = made.inhibitor
    await made.create("web")
    await made.ready("web")
    await made.kubelet.close()
    inhibitor.preparing = True
    await made.restart()
    await made.until("web", lambda status: status.get("reason") == "Terminated")
    await made.admin.delete(PODS, "web", "default")
    await made.kubelet.close()
    inhibitor.preparing = False
    made.inhibitor.steps.clear()
    await made.restart()
    await holds(inhibitor)
    await node_is(made, "True")


async def test_a_connection_that_ends_is_made_again(made: Node) -> None:
    inhibitor: FakeInhibitor = made.inhibitor
    inhibitor.news.put_nowait(None)

    async def again() -> bool:
        await made.clock.advance(1)
        return inhibitor.steps.count("hold") == 2

    await eventually(again)
    inhibitor.tell(True)
    await node_is(made, "False")


async def test_logind_that_does_not_wait_long_enough(tmp_path: Path, caplog: Any) -> None:
    inhibitor = FakeInhibitor(obeys=False)
    async with node(tmp_path, inhibitor=inhibitor, shutdown_periods=PERIODS) as made:
        await made.create("web")
        await made.ready("web")
    assert "hold" not in inhibitor.steps
    assert (
        "node shutdown manager was unable to update logind InhibitDelayMaxSec to 30s (ShutdownGracePeriod), "
        "current value of InhibitDelayMaxSec (5s) is less than requested ShutdownGracePeriod"
    ) in caplog.text


async def test_a_bus_that_hangs_is_asked_again(tmp_path: Path) -> None:
    inhibitor = FakeInhibitor(hangs=True)
    async with node(tmp_path, inhibitor=inhibitor, shutdown_periods=PERIODS) as made:
        await eventually(lambda: inhibitor.steps == ["connect"])
        inhibitor.hangs = False

        async def again() -> bool:
            await made.clock.advance(5)
            return "hold" in inhibitor.steps

        await eventually(again)


async def test_where_there_is_no_logind_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logind = Logind(f"unix:path={tmp_path}/none", tmp_path)
    async with node(tmp_path, inhibitor=logind, shutdown_periods=PERIODS) as made:
        await made.create("web")
        await made.ready("web")
        for _ in range(20):
            await made.clock.advance(10)
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    why = f"unix:path={tmp_path}/none: No such file or directory"
    assert [text for text in said if "holding up" in text] == [
        f"holding up shutdowns of the machine failed, again in 1.0 s: {why}"
    ]


async def test_without_periods_nobody_is_asked(tmp_path: Path) -> None:
    inhibitor = FakeInhibitor()
    async with node(tmp_path, inhibitor=inhibitor):
        pass
    assert inhibitor.steps == ["close"]
