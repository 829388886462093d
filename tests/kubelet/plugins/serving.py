"""gRPC servers on sockets of short paths, for plug-ins that tests play."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from wherry.kubelet.plugins.calls import MOST_BYTES
from wherry.kubelet.plugins.watcher import MESSAGES, SERVICE

Answer = Callable[[Any], Awaitable[Any]]
Stream = Callable[[Any], AsyncIterator[Any]]


def as_bytes(message: Any) -> bytes:
    """The message on the wire; bytes as they are, for plug-ins that send garbage."""
    return message if isinstance(message, bytes) else message.SerializeToString()


async def serve(
    socket: Path,
    services: Mapping[str, Mapping[str, tuple[Any, Answer]]],
    streams: Mapping[str, Stream] | None = None,
) -> grpc.aio.Server:
    """A server with unary methods by service, and streams by `service/method`."""
    socket.parent.mkdir(parents=True, exist_ok=True)
    server = grpc.aio.server(
        options=[("grpc.max_send_message_length", 8 * MOST_BYTES), ("grpc.so_reuseport", 0)]
    )
    rpcs: dict[str, dict[str, Any]] = {
        service: {
            name: grpc.unary_unary_rpc_method_handler(
                _unary(answer), request_deserializer=request.FromString, response_serializer=as_bytes
            )
            for name, (request, answer) in methods.items()
        }
        for service, methods in services.items()
    }
    for path, stream in (streams or {}).items():
        service, _, name = path.partition("/")
        rpcs.setdefault(service, {})[name] = grpc.unary_stream_rpc_method_handler(
            _stream(stream), request_deserializer=None, response_serializer=as_bytes
        )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(service, methods) for service, methods in rpcs.items())
    )
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    return server


def _unary(answer: Answer) -> Any:
    async def call(request: Any, context: Any) -> Any:
        try:
            return await answer(request)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))

    return call


def _stream(stream: Stream) -> Any:
    async def call(request: Any, _context: Any) -> AsyncIterator[Any]:
        async for message in stream(request):
            yield message

    return call


class Registrant:
    """The registration service of a plug-in; `told` are the statuses it was told."""

    def __init__(self, kind: str, name: str, versions: list[str], endpoint: str = "") -> None:
        self.info = MESSAGES.PluginInfo(type=kind, name=name, endpoint=endpoint, supported_versions=versions)
        self.told: list[tuple[bool, str]] = []
        self.hangs = asyncio.Event()
        self.is_hanging = False

    def service(self) -> dict[str, dict[str, tuple[Any, Answer]]]:
        """The service, for `serve`."""
        methods: dict[str, tuple[Any, Answer]] = {
            "GetInfo": (MESSAGES.InfoRequest, self._info),
            "NotifyRegistrationStatus": (MESSAGES.RegistrationStatus, self._status),
        }
        return {SERVICE: methods}

    async def _info(self, _request: Any) -> Any:
        if self.is_hanging:
            await self.hangs.wait()
        return self.info

    async def _status(self, status: Any) -> Any:
        self.told.append((status.plugin_registered, status.error))
        return MESSAGES.RegistrationStatusResponse()
