"""A pod's whole life on a node, from the API server's and the runtime's point of view."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import NODE, Node, node, state, waiting
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def test_pod_becomes_ready(made: Node) -> None:
    await made.create("web")
    status = await made.ready("web")
    assert status["phase"] == "Running"
    assert status["podIP"] == "10.0.0.1"
    assert status["hostIP"] == "192.0.2.1"
    container = status["containerStatuses"][0]
    assert container["containerID"].startswith("containerd://container")
    assert container["restartCount"] == 0
    assert container["started"] is True
    await made.said("Created", "Container created")
    await made.said("Started", "Container started")


async def test_deleted_pod_leaves_nothing(made: Node) -> None:
    await made.create("web", terminationGracePeriodSeconds=5)
    await made.ready("web")
    await made.admin.delete(PODS, "web", "default")
    await eventually(lambda: made.gone("web"))
    assert made.runtime.stopped[0][1] == 5

    async def clean() -> bool:
        return not await made.runtime.sandboxes() and not await made.runtime.containers()

    await eventually(clean)
    assert not list((made.config.root_dir / "pods").glob("*"))
    await made.said("Killing", "Stopping container web")


async def test_crashing_container_backs_off(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    made.runtime.finish(made.runtime.find("web").id, 1)
    await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1)
    made.runtime.finish(made.runtime.find("web").id, 1)
    status = await made.until("web", lambda s: waiting(s) == "CrashLoopBackOff")
    message = state(status)["waiting"]["message"]
    assert message.startswith("back-off 10s restarting failed container=web pod=web_default(")
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
    assert status["phase"] == "Running"
    await made.clock.advance(10)
    status = await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 2)
    assert "running" in state(status)


async def test_pod_that_is_done_succeeds(made: Node) -> None:
    await made.create("job", restartPolicy="Never")
    await made.ready("job")
    made.runtime.finish(made.runtime.find("web").id, 0)
    status = await made.until("job", lambda s: s["phase"] == "Succeeded")
    assert state(status)["terminated"]["reason"] == "Completed"
    sandboxes = await made.runtime.sandboxes()
    await eventually(lambda: _none_ready(made))
    assert len(sandboxes) == 1


async def _none_ready(made: Node) -> bool:
    return not any(s.ready for s in await made.runtime.sandboxes())


async def test_a_node_that_moves_takes_its_pods_along(made: Node) -> None:
    """Another address of the node is told of node and pods; no container is touched."""
    await made.create("web")
    await made.create("own", hostNetwork=True)
    before = [await made.ready(name) for name in ("web", "own")]
    assert before[1]["podIP"] == "192.0.2.1"
    made.kubelet.move_to("198.51.100.7")
    web = await made.until("web", lambda s: s["hostIP"] == "198.51.100.7")
    own = await made.until("own", lambda s: s["podIP"] == "198.51.100.7")
    assert web["podIP"] == before[0]["podIP"]
    assert own["hostIPs"] == own["podIPs"] == [{"ip": "198.51.100.7"}]
    for old, new in zip(before, (web, own), strict=True):
        assert new["containerStatuses"] == old["containerStatuses"]

    async def told() -> bool:
        addresses = (await made.admin.get(NODES, NODE))["status"]["addresses"]
        return [a["address"] for a in addresses if a["type"] == "InternalIP"] == ["198.51.100.7"]

    await eventually(told)
