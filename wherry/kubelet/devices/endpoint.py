"""The connection to one device plug-in: what it lists, and what it is asked.

Source: pkg/kubelet/cm/devicemanager/endpoint.go, plugin/v1beta1/client.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wherry.kit.clock import Clock
from wherry.kubelet.devices.inventory import Device, read_devices
from wherry.kubelet.devices.messages import MESSAGES, PLUGIN
from wherry.kubelet.plugins.calls import DIAL_TIMEOUT_S, PluginChannel
from wherry.kubelet.plugins.pace import Pace

ALLOCATE_TIMEOUT_S = 30.0
"""How long a plug-in may take to give devices. Upstream waits as long as it takes."""
PREFER_TIMEOUT_S = 10.0
PRE_START_TIMEOUT_S = 30.0
"""`KubeletPreStartContainerRPCTimeoutInSecs`."""
LISTS_PER_S, LISTS_BURST = 1.0, 20
"""How often a plug-in's list is taken: one that sends on and on keeps only itself waiting."""


class Endpoint:
    """One plug-in of `resource`, which serves at `socket`."""

    def __init__(self, resource: str, socket: Path, clock: Clock) -> None:
        self.resource = resource
        self.is_stopped = False
        self._channel = PluginChannel(socket, clock)
        self._pace = Pace(clock, LISTS_PER_S, LISTS_BURST)
        self.pre_start_required = False
        self.has_preferences = False

    async def connect(self) -> None:
        """Ask for the plug-in's options. Raises PluginFailure."""
        options = await self._call(
            "GetDevicePluginOptions", MESSAGES.Empty(), MESSAGES.DevicePluginOptions, DIAL_TIMEOUT_S
        )
        self.pre_start_required = options.pre_start_required
        self.has_preferences = options.get_preferred_allocation_available

    async def follow(self, on_list: Callable[[Mapping[str, Device]], None]) -> None:
        """Hand on what the plug-in lists until it ends. Raises PluginFailure, TooMuch."""
        lists = self._channel.stream(
            f"{PLUGIN}/ListAndWatch", MESSAGES.Empty(), MESSAGES.ListAndWatchResponse
        )
        try:
            async for listed in lists:
                on_list(read_devices(listed.devices))
                await self._pace.wait()
        finally:
            await lists.aclose()  # type: ignore[attr-defined]

    async def preferred(self, available: list[str], required: list[str], size: int) -> list[str]:
        """Which of the devices the plug-in would give. Raises PluginFailure."""
        one = MESSAGES.ContainerPreferredAllocationRequest(
            available_deviceIDs=available, must_include_deviceIDs=required, allocation_size=size
        )
        answer = await self._call(
            "GetPreferredAllocation",
            MESSAGES.PreferredAllocationRequest(container_requests=[one]),
            MESSAGES.PreferredAllocationResponse,
            PREFER_TIMEOUT_S,
        )
        return list(answer.container_responses[0].deviceIDs) if answer.container_responses else []

    async def allocate(self, devices: list[str]) -> Any:
        """The plug-in's AllocateResponse. Raises PluginFailure."""
        one = MESSAGES.ContainerAllocateRequest(devices_ids=devices)
        request = MESSAGES.AllocateRequest(container_requests=[one])
        return await self._call("Allocate", request, MESSAGES.AllocateResponse, ALLOCATE_TIMEOUT_S)

    async def pre_start(self, devices: list[str]) -> None:
        """A container with these devices is about to start. Raises PluginFailure."""
        request = MESSAGES.PreStartContainerRequest(devices_ids=devices)
        await self._call(
            "PreStartContainer", request, MESSAGES.PreStartContainerResponse, PRE_START_TIMEOUT_S
        )

    async def close(self) -> None:
        """End the connection."""
        self.is_stopped = True
        await self._channel.close()

    async def _call(self, method: str, request: Any, answer: Any, timeout_s: float) -> Any:
        return await self._channel.call(f"{PLUGIN}/{method}", request, answer, timeout_s)
