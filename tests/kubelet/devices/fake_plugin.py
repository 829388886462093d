"""A device plug-in, played by a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tests.kubelet.plugins.serving import serve
from wherry.kubelet.devices.messages import HEALTHY, MESSAGES, PLUGIN, REGISTRATION

SERVICE = PLUGIN.lstrip("/")


class FakePlugin:
    """Offers `devices` (id to health) of `resource` in the folder of device plug-ins."""

    def __init__(self, folder: Path, resource: str, devices: dict[str, str], name: str = "fake.sock") -> None:
        self.resource = resource
        self.devices = devices
        self.nodes: dict[str, int] = {}
        self.folder = folder
        self.socket = folder / name
        self.options = MESSAGES.DevicePluginOptions()
        self.allocated: list[list[str]] = []
        self.started: list[list[str]] = []
        self.preferred: list[str] = []
        self.failure = ""
        self.variable = ""
        """One more thing it gives."""
        self.raw: bytes | None = None
        """What it sends in place of lists."""
        self.gate: asyncio.Event | None = None
        """Allocate waits for it."""
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> FakePlugin:
        """Serve; `register` comes after."""
        methods: Any = {
            "GetDevicePluginOptions": (MESSAGES.Empty, self._options),
            "Allocate": (MESSAGES.AllocateRequest, self._allocate),
            "PreStartContainer": (MESSAGES.PreStartContainerRequest, self._pre_start),
            "GetPreferredAllocation": (MESSAGES.PreferredAllocationRequest, self._prefer),
        }
        self._server = await serve(self.socket, {SERVICE: methods}, {f"{SERVICE}/ListAndWatch": self._list})
        return self

    async def register(self, endpoint: str = "", version: str = "v1beta1") -> None:
        """Register at the kubelet's socket. Raises grpc.RpcError."""
        async with grpc.aio.insecure_channel(f"unix:{self.folder / 'kubelet.sock'}") as channel:
            call = channel.unary_unary(
                f"/{REGISTRATION}/Register",
                request_serializer=MESSAGES.RegisterRequest.SerializeToString,
                response_deserializer=MESSAGES.Empty.FromString,
            )
            await call(
                MESSAGES.RegisterRequest(
                    version=version, endpoint=endpoint or self.socket.name, resource_name=self.resource
                )
            )

    def change(self, devices: dict[str, str]) -> None:
        """Offer other devices from now on."""
        self.devices = devices
        self._changed.set()

    async def stop(self) -> None:
        """Go, as a plug-in that was killed does."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None
        self.socket.unlink(missing_ok=True)

    async def _options(self, _request: Any) -> Any:
        return self.options

    async def _list(self, _request: Any) -> AsyncIterator[Any]:
        while True:
            if self.raw is not None:
                yield self.raw
                continue
            yield MESSAGES.ListAndWatchResponse(devices=[self._device(*one) for one in self.devices.items()])
            await self._changed.wait()
            self._changed.clear()

    def _device(self, name: str, health: str) -> Any:
        device = MESSAGES.Device(ID=name, health=health)
        if name in self.nodes:
            device.topology.nodes.add(ID=self.nodes[name])
        return device

    async def _allocate(self, request: Any) -> Any:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure:
            raise ValueError(self.failure)
        answers = []
        for one in request.container_requests:
            ids = list(one.devices_ids)
            self.allocated.append(sorted(ids))
            answers.append(
                MESSAGES.ContainerAllocateResponse(
                    envs={"FAKE_DEVICES": ",".join(sorted(ids)), "MORE": self.variable},
                    mounts=[MESSAGES.Mount(container_path="/fake", host_path="/opt/fake", read_only=True)],
                    devices=[
                        MESSAGES.DeviceSpec(
                            container_path=f"/dev/{name}", host_path="/dev/null", permissions="rw"
                        )
                        for name in ids
                    ],
                    annotations={"fake.example.com/ids": ",".join(sorted(ids))},
                    cdi_devices=[MESSAGES.CDIDevice(name=f"{self.resource}={name}") for name in ids],
                )
            )
        return MESSAGES.AllocateResponse(container_responses=answers)

    async def _pre_start(self, request: Any) -> Any:
        self.started.append(sorted(request.devices_ids))
        return MESSAGES.PreStartContainerResponse()

    async def _prefer(self, request: Any) -> Any:
        one = MESSAGES.ContainerPreferredAllocationResponse(deviceIDs=self.preferred)
        return MESSAGES.PreferredAllocationResponse(container_responses=[one])


def healthy(*names: str) -> dict[str, str]:
    """Devices that are well."""
    return dict.fromkeys(names, HEALTHY)
