"""A DRA driver's plug-in, played by a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tests.kubelet.plugins.serving import Registrant, serve
from wherry.kubelet.devices.dra.messages import MESSAGES, SERVICES


class FakeDriver:
    """Prepares claims with one device each; `prepared` and `unprepared` are the claims' uids, by call."""

    def __init__(self, root: Path, name: str = "gpu.example.com", version: str = "v1.DRAPlugin") -> None:
        self.name = name
        self.socket = root / "plugins" / f"{name}.sock"
        self.registration = root / "plugins_registry" / f"{name}-reg.sock"
        self._service = SERVICES[version]
        self.registrant = Registrant(
            "DRAPlugin", name, [version, "v1.DRAResourceHealth"], endpoint=str(self.socket)
        )
        self.prepared: list[list[str]] = []
        self.unprepared: list[list[str]] = []
        self.failure = ""
        self.unprepare_failure = ""
        self.gate: asyncio.Event | None = None
        self.skips = False
        self._health: asyncio.Queue[Any] = asyncio.Queue()
        self._servers: list[grpc.aio.Server] = []

    async def start(self) -> FakeDriver:
        """Serve, and register."""
        methods: Any = {
            "NodePrepareResources": (MESSAGES.NodePrepareResourcesRequest, self._prepare),
            "NodeUnprepareResources": (MESSAGES.NodeUnprepareResourcesRequest, self._unprepare),
        }
        health = {"v1.DRAResourceHealth/NodeWatchResources": self._watch}
        self._servers.append(await serve(self.socket, {self._service: methods}, health))
        self._servers.append(await serve(self.registration, self.registrant.service()))
        return self

    async def stop(self) -> None:
        """Go."""
        for server in self._servers:
            await server.stop(grace=None)
        self._servers.clear()
        self.registration.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def tell(self, device: str, health: int, message: str = "", timeout_s: int = 0) -> None:
        """Tell of a device's health: 1 is well, 2 is not."""
        one = MESSAGES.DeviceHealth(health=health, message=message, health_check_timeout_seconds=timeout_s)
        one.device.pool_name, one.device.device_name = "p", device
        self._health.put_nowait(MESSAGES.NodeWatchResourcesResponse(devices=[one]))

    async def _prepare(self, request: Any) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        self.prepared.append(sorted(claim.uid for claim in request.claims))
        answer = MESSAGES.NodePrepareResourcesResponse()
        for claim in () if self.skips else request.claims:
            one = answer.claims[claim.uid]
            one.error = self.failure
            one.devices.add(
                request_names=["gpu"],
                pool_name="p",
                device_name="gpu-0",
                cdi_device_ids=[f"{self.name}/gpu={claim.name}"],
            )
        return answer

    async def _unprepare(self, request: Any) -> Any:
        self.unprepared.append(sorted(claim.uid for claim in request.claims))
        answer = MESSAGES.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            answer.claims[claim.uid].error = self.unprepare_failure
        return answer

    async def _watch(self, _request: Any) -> AsyncIterator[Any]:
        while True:
            yield await self._health.get()
