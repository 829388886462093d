"""Whatever happens to containerd's events, whoever follows them hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from wherry.kit.clock import FakeClock
from wherry.kubelet.runtimes.containerd.events import TaskEvent
from wherry.kubelet.runtimes.containerd.follow import Follower
from wherry.kubelet.runtimes.containerd.statuses import Statuses
from wherry.kubelet.runtimes.containerd.wire import MalformedMessage
from wherry.kubelet.runtimes.runtime import RuntimeEvent


class Service:
    """CRI, in which every container has ended; `failure` is raised instead of the next answer."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    async def ContainerStatus(self, request: Any, timeout: float) -> Any:  # noqa: N802 - CRI's name
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return SimpleNamespace(status=SimpleNamespace(state=cri.CONTAINER_EXITED))


async def told(service: Service, stream: AsyncIterator[TaskEvent]) -> list[RuntimeEvent]:
    follower = Follower(service, Statuses(service), FakeClock())
    return [event async for event in follower.follow(stream)]


@pytest.mark.parametrize(
    "failure", [MalformedMessage("unfinished number"), RuntimeError("whatever else"), None]
)
async def test_the_end_of_the_stream_is_told(failure: Exception | None) -> None:
    async def stream() -> AsyncIterator[TaskEvent]:
        if failure is not None:
            raise failure
        nothing: tuple[TaskEvent, ...] = ()
        for event in nothing:
            yield event

    assert await told(Service(), stream()) == [RuntimeEvent("lost")]


async def test_an_event_that_cannot_be_checked_goes_out_as_it_is() -> None:
    service = Service()
    service.failure = RuntimeError("an answer nobody understands")
    heard = asyncio.Event()

    async def stream() -> AsyncIterator[TaskEvent]:
        yield TaskEvent("/tasks/exit", "c1")
        yield TaskEvent("/tasks/exit", "c2")
        await heard.wait()

    events = []
    async for event in Follower(service, Statuses(service), FakeClock()).follow(stream()):
        events.append(event)
        if len(events) == 2:
            heard.set()
    assert {event.container_id for event in events if event.kind == "exited"} == {"c1", "c2"}
    assert events[-1] == RuntimeEvent("lost")
