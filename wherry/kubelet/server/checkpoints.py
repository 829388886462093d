"""`/checkpoint/`: a container's state written to a file (KEP-2008), where the node allows it.

Source: pkg/kubelet/server/server.go, checkpoint; pkg/kubelet/kubelet.go, CheckpointContainer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qs

from wherry.kit.clock import Clock
from wherry.kit.disk import Disk
from wherry.kit.httpd.message import Answer, Request
from wherry.kit.integers import parse_unsigned
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.answers import NOT_THERE, NotServed, json_of
from wherry.kubelet.server.containers import ContainerDoors
from wherry.objects.meta import format_time

DIRECTORY_TIMEOUT_S = 10.0
"""A disk that does not answer in this time fails the request; it holds nobody else."""


@runtime_checkable
class Checkpointer(Protocol):
    """A runtime that can write a container's state to a file; not every one can."""

    async def checkpoint(self, container_id: str, location: str, timeout_s: int) -> None:
        """Write it to `location`. Raises RuntimeFailure."""
        ...


class Checkpoints:
    """Writes checkpoints into `directory`."""

    def __init__(
        self, runtime: Runtime, doors: ContainerDoors, directory: Path, clock: Clock, disk: Disk
    ) -> None:
        self._runtime = runtime
        self._doors = doors
        self._directory = directory
        self._clock = clock
        self._disk = disk

    async def page(self, request: Request) -> Answer:
        """POST `/checkpoint/{namespace}/{pod}/{container}[?timeout=S]`. Raises NotServed."""
        parts = request.path.strip("/").split("/")[1:]
        if len(parts) != 3:
            raise NotServed(NOT_THERE, 404)
        namespace, name, container = parts
        asked = parse_qs(request.query).get("timeout", ["0"])[-1]
        timeout_s = parse_unsigned(asked, 31)
        if timeout_s is None:
            raise NotServed("cannot parse value of timeout parameter", 404)
        running = await self._doors.running(namespace, name, container)
        stamp = format_time(self._clock.now())
        location = self._directory / f"checkpoint-{name}_{namespace}-{container}-{stamp}.tar"
        try:
            if not isinstance(self._runtime, Checkpointer):
                raise RuntimeFailure("the runtime writes no checkpoints")
            await self._disk.run("checkpoints", self._make_directory, DIRECTORY_TIMEOUT_S)
            await self._runtime.checkpoint(running.id, str(location), timeout_s)
        except (RuntimeFailure, OSError) as error:
            raise NotServed(
                f"checkpointing of {namespace}/{name}/{container} failed ({error})", 500
            ) from error
        return json_of({"items": [str(location)]})

    def _make_directory(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
