"""Turning containerd's events into `RuntimeEvent`s that may be acted on at once.

containerd tells its subscribers of an exit before its CRI part has taken note of it, so whoever
lists containers on the event would see it still running. `Follower` therefore lets an event out
only when CRI shows what the event says; it asks again after a few milliseconds, growing, and gives
up after a bounded time (then the event goes out as it is).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
from cri_api.v1 import api_pb2 as cri

from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.kubelet.runtimes.containerd.deadlines import LOOK_S
from wherry.kubelet.runtimes.containerd.events import TaskEvent
from wherry.kubelet.runtimes.containerd.statuses import Statuses
from wherry.kubelet.runtimes.runtime import RuntimeEvent

log = logging.getLogger(__name__)

_KINDS = {
    "/tasks/start": "started",
    "/tasks/exit": "exited",
    "/tasks/oom": "exited",
    "/containers/delete": "deleted",
}
_FIRST_DELAY_S = 0.002
_TRIES = 11  # two milliseconds doubled ten times: four seconds in all


class Follower:
    """One subscription's reader."""

    def __init__(self, service: Any, statuses: Statuses, clock: Clock) -> None:
        self._service = service
        self._statuses = statuses
        self._clock = clock
        self._out: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._tasks = Tasks("containerd-events")

    async def follow(self, stream: AsyncIterator[TaskEvent]) -> AsyncIterator[RuntimeEvent]:
        """The events of `stream`; ends with a `lost` event when the stream does."""
        try:
            self._tasks.spawn(self._read(stream), "read")
            while (event := await self._out.get()) is not None:
                yield event
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop reading; whoever iterates comes to the end."""
        await self._tasks.close()
        self._out.put_nowait(None)

    async def _read(self, stream: AsyncIterator[TaskEvent]) -> None:
        try:
            async for event in stream:
                if event.process or event.topic not in _KINDS:
                    continue
                # Several containers' events wait for CRI side by side, not in a row.
                self._tasks.spawn(self._hand_out(event), event.container_id)
        except grpc.RpcError as error:
            log.info("containerd's events end: %s", error.details())
        finally:
            # However reading ended (a message not to be understood as well), whoever follows must hear of
            # it: the next follower asks anew and looks at everything.
            self._out.put_nowait(RuntimeEvent("lost"))
            self._out.put_nowait(None)

    async def _hand_out(self, event: TaskEvent) -> None:
        pod_uid = self._statuses.pod_of(event.container_id)
        kind = _KINDS[event.topic]
        try:
            if event.topic == "/tasks/oom":
                self._statuses.ran_out_of_memory(event.container_id)
            elif kind == "deleted":
                self._statuses.forget(event.container_id)
            else:
                await self._until_visible(event.container_id, started=kind == "started")
                pod_uid = pod_uid or self._statuses.pod_of(event.container_id)
        finally:
            # An event whose waiting failed goes out as it is: to look in vain costs less than never to look.
            self._out.put_nowait(RuntimeEvent(kind, event.container_id, pod_uid))

    async def _until_visible(self, container_id: str, *, started: bool) -> None:
        delay_s = _FIRST_DELAY_S
        for _ in range(_TRIES):
            if await self._shows(container_id, started=started):
                return
            await self._clock.sleep(delay_s)
            delay_s *= 2

    async def _shows(self, container_id: str, *, started: bool) -> bool:
        """Whether CRI's view has caught up with the container having started, or ended."""
        request = cri.ContainerStatusRequest(container_id=container_id)
        try:
            state = (await self._service.ContainerStatus(request, timeout=LOOK_S)).status.state
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                # CRI does not count sandboxes as containers.
                return await self._sandbox_shows(container_id, started=started)
            return False
        if started:
            return bool(state != cri.CONTAINER_CREATED)
        return state not in (cri.CONTAINER_CREATED, cri.CONTAINER_RUNNING)

    async def _sandbox_shows(self, sandbox_id: str, *, started: bool) -> bool:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        try:
            state = (await self._service.PodSandboxStatus(request, timeout=LOOK_S)).status.state
        except grpc.RpcError as error:
            # A starting sandbox is not there yet, an ended one not any more.
            return error.code() is grpc.StatusCode.NOT_FOUND and not started
        return bool((state == cri.SANDBOX_READY) == started)
