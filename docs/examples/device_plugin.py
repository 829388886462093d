"""A device plug-in: offers a device file of the machine, as `/dev/zero-0`, `/dev/zero-1` and so on.

    python docs/examples/device_plugin.py ROOT_DIR example.com/zero [/dev/zero [HOW_MANY]]

ROOT_DIR is the kubelet's. It registers, and registers anew whenever the agent has started again.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from wherry.kubelet.devices.messages import HEALTHY, MESSAGES


class Plugin:
    """Serves `device` as `resource`, as often as `count` says."""

    def __init__(self, folder: Path, resource: str, device: str, count: int) -> None:
        self.folder = folder
        self.resource = resource
        self.device = device
        self.socket = folder / f"{resource.replace('/', '_')}.sock"
        self.ids = [f"{Path(device).name}-{number}" for number in range(count)]

    async def options(self, _request: Any, _context: Any) -> Any:
        """Nothing beyond Allocate."""
        return MESSAGES.DevicePluginOptions()

    async def devices(self, _request: Any, _context: Any) -> AsyncIterator[Any]:
        """All devices, once: their health never changes."""
        yield MESSAGES.ListAndWatchResponse(
            devices=[MESSAGES.Device(ID=one, health=HEALTHY) for one in self.ids]
        )
        await asyncio.Event().wait()

    async def allocate(self, request: Any, _context: Any) -> Any:
        """The device file, a variable that tells which it is, and a folder with more about it."""
        answers = [
            MESSAGES.ContainerAllocateResponse(
                envs={"DEVICES": ",".join(one.devices_ids)},
                devices=[
                    MESSAGES.DeviceSpec(
                        container_path=f"/dev/{name}", host_path=self.device, permissions="rw"
                    )
                    for name in one.devices_ids
                ],
                mounts=[MESSAGES.Mount(container_path="/devices", host_path="/sys/devices", read_only=True)],
            )
            for one in request.container_requests
        ]
        return MESSAGES.AllocateResponse(container_responses=answers)

    async def serve(self) -> None:
        """Serve on a socket beside the kubelet's, and register, again after each start of the agent."""
        empty = MESSAGES.Empty
        methods = {
            "GetDevicePluginOptions": grpc.unary_unary_rpc_method_handler(
                self.options, empty.FromString, MESSAGES.DevicePluginOptions.SerializeToString
            ),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self.devices, empty.FromString, MESSAGES.ListAndWatchResponse.SerializeToString
            ),
            "Allocate": grpc.unary_unary_rpc_method_handler(
                self.allocate,
                MESSAGES.AllocateRequest.FromString,
                MESSAGES.AllocateResponse.SerializeToString,
            ),
        }
        while True:
            self.socket.unlink(missing_ok=True)
            server = grpc.aio.server()
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", methods),)
            )
            server.add_insecure_port(f"unix:{self.socket}")
            await server.start()
            with contextlib.suppress(grpc.RpcError):  # the agent is not there: it is looked for again
                await self.register()
                print(f"{self.resource} is registered", flush=True)
                while self.socket.exists():  # noqa: ASYNC110 - so it needs nothing but the standard library
                    await asyncio.sleep(1)
            await server.stop(grace=None)
            await asyncio.sleep(1)

    async def register(self) -> None:
        """Tell the kubelet. Raises grpc.RpcError."""
        async with grpc.aio.insecure_channel(f"unix:{self.folder / 'kubelet.sock'}") as channel:
            register = channel.unary_unary(
                "/v1beta1.Registration/Register",
                MESSAGES.RegisterRequest.SerializeToString,
                MESSAGES.Empty.FromString,
            )
            await register(
                MESSAGES.RegisterRequest(
                    version="v1beta1", endpoint=self.socket.name, resource_name=self.resource
                )
            )


if __name__ == "__main__":
    root, name, device, count = [*sys.argv[1:], *("/dev/zero", "2")[len(sys.argv) - 3 :]]
    asyncio.run(Plugin(Path(root) / "device-plugins", name, device, int(count)).serve())
