"""Waiting for a container to end, for any number of waiters over one stream of runtime events.

The runtime is listened to only while somebody waits.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

from wherry.kit.tasks import Tasks
from wherry.kubelet.runtimes.containers import Phase
from wherry.kubelet.runtimes.runtime import Runtime


class Exits:
    """Ends of one runtime's containers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._tasks = Tasks("exits")
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def wait(self, container_id: str, pod_uid: str) -> None:
        """Return when the container does not run any more. Raises RuntimeFailure."""
        changed = asyncio.Event()
        self._waiting.setdefault(container_id, set()).add(changed)
        try:
            # Asked after listening began, so an end in between is not missed.
            self._listen()
            while await self._runs(container_id, pod_uid):
                await changed.wait()
                changed.clear()
                self._listen()
        finally:
            waiters = self._waiting[container_id]
            waiters.discard(changed)
            if not waiters:
                del self._waiting[container_id]
            if not self._waiting and self._reader is not None:
                self._reader.cancel()
                self._reader = None

    async def close(self) -> None:
        """Stop listening."""
        await self._tasks.close()

    def _listen(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = self._tasks.spawn(self._read(), "read")

    async def _runs(self, container_id: str, pod_uid: str) -> bool:
        containers = await self._runtime.containers(pod_uid)
        return any(c.id == container_id and c.phase in (Phase.CREATED, Phase.RUNNING) for c in containers)

    async def _read(self) -> None:
        events: Any = self._runtime.events()
        async with aclosing(events):
            async for event in events:
                self._wake(event.container_id if event.kind != "lost" else "")
        self._wake("")

    def _wake(self, container_id: str) -> None:
        """Have the waiters of one container look again, those of all containers for ""."""
        for waited, waiters in self._waiting.items():
            if container_id in ("", waited):
                for waiter in waiters:
                    waiter.set()
