"""A scheduler that waits for the first pod is there when it comes, and for those that are there already."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, cast

import pytest

from tests.apiserver import rig
from tests.apiserver.rig import pod
from tests.conftest import eventually
from wherry.api.core.nodes import NODES
from wherry.cluster.standby import Standby
from wherry.kit.clock import FakeClock
from wherry.testing import Cluster

if TYPE_CHECKING:
    from wherry.scheduler.scheduler import Scheduler

POD = pod("early")


def test_the_first_pod_is_scheduled() -> None:
    with Cluster(nodes=1) as c:
        c.apply(POD)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"] == "node-0"


def test_pods_that_wait_already_are_scheduled() -> None:
    with Cluster(scheduler=False, objects=[POD]) as c:
        snapshot = c.snapshot()
    with Cluster(nodes=1) as c:
        c.restore(snapshot)
        c.nodes.add(1)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"].startswith("node-")


def test_it_comes_again_after_a_crash() -> None:
    with Cluster(nodes=1) as c:
        c.apply(pod("first"))
        c.faults.crash("pods/binding", user="system:kube-scheduler")
        c.apply(POD)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"] == "node-0"


class Made:
    """In the place of a scheduler; what was asked of it, and how Ready the node was when it was made."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def start(self) -> None:
        self.asked.append("start")

    async def close(self) -> None:
        self.asked.append("close")


async def test_where_no_pods_are_waited_for_it_begins_with_the_first_ready_node() -> None:
    clock, made = FakeClock(), Made()
    async with rig.running(clock=clock, listens=False) as running:

        async def make() -> Scheduler:
            made.asked.append((await running.admin.get(NODES, "a"))["status"]["conditions"][0]["status"])
            return cast("Scheduler", made)

        standby = Standby(running.admin, clock, Random(1), make, waits_for_pods=False)
        await standby.start()
        node = await running.admin.create(NODES, {"metadata": {"name": "a"}})
        for status in ("False", "True"):
            node["status"] = {"conditions": [{"type": "Ready", "status": status}]}
            node = await running.admin.update_status(NODES, node)
        await eventually(lambda: len(made.asked) > 1)
        await standby.close()
        assert made.asked == ["True", "start", "close"]


async def test_once_it_is_closed_pods_begin_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def make() -> Scheduler:
        raise AssertionError("it is closed")

    async with rig.running(clock=FakeClock(), listens=False) as running:
        standby = Standby(running.admin, FakeClock(), Random(1), make, waits_for_pods=False)
        await standby.start()
        await standby._tasks.close()
        standby._pod_changed(None, POD)
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        standby._node_changed(None, {"metadata": {"name": "n"}, "status": ready})
        await standby.close()
    assert "cannot start" not in caplog.text
