"""The API server hears how pods are, whoever else writes there and whatever fails once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, is_ready, node
from wherry.api.core.pods import PODS
from wherry.kit.clock import FakeClock, settle
from wherry.kubelet.status_writer import CORRECT_AFTER_S, StatusWriter
from wherry.objects.errors import bad_request
from wherry.objects.meta import Object


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def test_what_the_node_controller_took_comes_back(made: Node) -> None:
    """The agent could not be reached for a while; its pods were marked, and nothing else changed."""
    await made.create("web")
    await made.ready("web")
    pod = await made.pod("web")
    conditions = [
        {**c, "status": "False"} if c["type"] == "Ready" else c for c in pod["status"]["conditions"]
    ]
    await made.admin.update_status(PODS, {**pod, "status": {**pod["status"], "conditions": conditions}})
    await made.ready_in_time("web")


class Server:
    """Takes patches, like an API server that knows one pod; raises what it is told to, once each."""

    def __init__(self) -> None:
        self.pod: Object = {
            "metadata": {"name": "p", "namespace": "ns", "uid": "u1", "resourceVersion": "1"},
            "status": {},
        }
        self.patches: list[Object] = []
        self.raises: list[Exception] = []
        self.drops: tuple[str, ...] = ()

    async def patch(
        self, _resource: object, _name: str, _namespace: str, body: Object, **_how: object
    ) -> Object:
        self.patches.append(body["status"])
        if self.raises:
            raise self.raises.pop(0)
        taken = {key: value for key, value in body["status"].items() if key not in self.drops}
        return self.write(taken)

    def write(self, changes: Object) -> Object:
        """Somebody writes the status."""
        version = str(int(self.pod["metadata"]["resourceVersion"]) + 1)
        meta = {**self.pod["metadata"], "resourceVersion": version}
        self.pod = {**self.pod, "metadata": meta, "status": {**self.pod["status"], **changes}}
        return self.pod


def writer(server: Server, clock: FakeClock) -> StatusWriter:
    return StatusWriter(server, clock)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [bad_request("no"), RuntimeError("nobody thought of this")])
async def test_a_write_that_fails_once_is_made_again(error: Exception) -> None:
    server, clock = Server(), FakeClock()
    server.raises = [error]
    statuses = writer(server, clock)
    statuses.put(server.pod, {"phase": "Running"})
    await settle()
    await clock.advance(1)
    await statuses.flush("u1")
    assert server.pod["status"] == {"phase": "Running"}
    await statuses.close()


async def test_old_news_is_no_reason_to_write() -> None:
    """The watch may show a version from before our own write."""
    server, clock = Server(), FakeClock()
    statuses, old = writer(server, clock), server.pod
    statuses.put(old, {"phase": "Running"})
    await settle()
    statuses.seen(old)
    await clock.advance(60)
    assert len(server.patches) == 1
    await statuses.close()


async def test_two_who_disagree_do_not_keep_each_other_busy() -> None:
    server, clock = Server(), FakeClock()
    statuses = writer(server, clock)
    statuses.put(server.pod, {"phase": "Running"})
    await settle()
    for _ in range(100):
        statuses.seen(server.write({"phase": "Failed"}))
        await clock.advance(CORRECT_AFTER_S / 10)
    assert 8 <= len(server.patches) <= 12
    await statuses.close()


async def test_what_the_server_does_not_take_is_not_written_again() -> None:
    server, clock = Server(), FakeClock()
    server.drops = ("reason",)
    statuses = writer(server, clock)
    statuses.put(server.pod, {"phase": "Failed", "reason": "x"})
    await clock.advance(600)
    statuses.seen(server.write({}))
    await clock.advance(600)
    assert len(server.patches) == 1
    server.drops = ()
    statuses.put(server.pod, {"phase": "Failed", "reason": "y"})
    await settle()
    assert server.pod["status"] == {"phase": "Failed", "reason": "y"}
    await statuses.close()


async def test_flush_waits_for_the_last_word() -> None:
    server, clock = Server(), FakeClock()
    server.raises = [bad_request("no")]
    statuses = writer(server, clock)
    statuses.put(server.pod, {"phase": "Succeeded"})
    flushed = False

    async def flush() -> None:
        nonlocal flushed
        await statuses.flush("u1")
        flushed = True

    task = asyncio.ensure_future(flush())
    await settle()
    assert not flushed
    await clock.advance(1)
    await task
    assert server.pod["status"] == {"phase": "Succeeded"}
    statuses.forget("u1")
    await statuses.flush("u1")
    await statuses.close()


async def test_a_ready_pod_stays_quiet(made: Node) -> None:
    await made.create("web")
    await made.ready("web")
    revision = (await made.pod("web"))["metadata"]["resourceVersion"]
    await made.clock.advance(60)
    await settle()
    await eventually(lambda: True)
    pod = await made.pod("web")
    assert pod["metadata"]["resourceVersion"] == revision
    assert is_ready(pod["status"])


@pytest.mark.parametrize("empty", [{}, None, []])
async def test_a_field_that_says_nothing_is_no_difference(empty: object) -> None:
    """Whether the server keeps it (Go's omitempty) is its own business: one write is enough."""
    server, clock = Server(), FakeClock()
    statuses = writer(server, clock)
    wanted: Object = {"phase": "Running", "containerStatuses": [{"name": "web", "lastState": empty}]}
    server.write({"phase": "Running", "containerStatuses": [{"name": "web"}]})
    statuses.put(server.pod, wanted)
    statuses.seen(server.write({}))
    await clock.advance(60)
    assert server.patches == []
    await statuses.close()


async def test_each_state_is_written_once(made: Node, caplog: pytest.LogCaptureFixture) -> None:
    await made.create("web", {"readinessProbe": {"tcpSocket": {"port": 80}}})
    await made.ready("web")
    before = (await made.pod("web"))["metadata"]["resourceVersion"]
    container = made.runtime.find("web").id
    made.runtime.finish(container, 1)
    await made.until("web", lambda s: s["containerStatuses"][0]["restartCount"] == 1 and is_ready(s))
    await made.clock.advance(5)
    await settle()
    after = (await made.pod("web"))["metadata"]["resourceVersion"]
    await made.clock.advance(60)
    await settle()
    assert before != after == (await made.pod("web"))["metadata"]["resourceVersion"]
    assert "does not take all" not in caplog.text
