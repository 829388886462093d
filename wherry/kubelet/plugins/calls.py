"""Calling a plug-in over its socket, and serving on one: with bounds on what it may send and how long it
may take.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import grpc

from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.tasks import Abandoned

MOST_BYTES = 4 << 20
"""What one message may have: the bound of gRPC libraries, upstream's too."""
MOST_KEPT_BYTES = 256 << 10
"""What of an answer is kept for one container or claim: it is written to disk."""
LONGEST_PATH = 107
"""The bytes a socket's path may have (`sun_path` of unix(7))."""
DIAL_TIMEOUT_S = 10.0
"""How long a plug-in may take to answer who it is (upstream's dial timeout)."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_BYTES),
    ("grpc.max_send_message_length", 4 * MOST_BYTES),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a plug-in that came back is not kept waiting for its forerunner
    ("grpc.default_authority", "localhost"),
)
Handler = Callable[[Any], Awaitable[Any]]


STOPPED = "its connection is closed: the plug-in was replaced, or is gone"


class PluginFailure(Exception):
    """A plug-in that answers with an error, late, or not at all. The text is as Go's gRPC has it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {detail[:1024]}")
        self.code = code


class OutsideFolder(Exception):
    """A plug-in names a socket that is not where plug-ins' sockets are."""


class PluginChannel:
    """The connection to one plug-in. It is made with the first call."""

    def __init__(self, socket: Path, clock: Clock) -> None:
        self.socket = socket
        self._clock = clock
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=_OPTIONS)

    async def call(self, method: str, request: Any, answer: Any, timeout_s: float) -> Any:
        """The plug-in's answer, of the message class `answer`. Raises PluginFailure."""

        async def ask() -> Any:
            return await self._unary(method, answer)(request)

        try:
            return await within(timeout_s, ask(), self._clock)
        except TimeoutError:
            raise PluginFailure("DeadlineExceeded", "context deadline exceeded") from None
        except grpc.RpcError as error:
            raise _failure(error) from None
        except (grpc.aio.UsageError, Abandoned):
            raise PluginFailure("Canceled", STOPPED) from None

    async def stream(self, method: str, request: Any, answer: Any) -> AsyncIterator[Any]:
        """What the plug-in sends until it ends the stream. Raises PluginFailure."""
        begin = self._channel.unary_stream(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            call = begin(request)
        except grpc.aio.UsageError:
            raise PluginFailure("Canceled", STOPPED) from None
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise _failure(error) from None
        except grpc.aio.UsageError:
            raise PluginFailure("Canceled", STOPPED) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """End what is under way."""
        await self._channel.close(grace=None)

    def _unary(self, method: str, answer: Any) -> Any:
        def serialize(message: Any) -> bytes:
            data: bytes = message.SerializeToString()
            return data

        return self._channel.unary_unary(
            method, request_serializer=serialize, response_deserializer=answer.FromString
        )


def _failure(error: grpc.RpcError) -> PluginFailure:
    name = error.code().name.replace("CANCELLED", "CANCELED")  # as Go spells it
    code = "".join(word.title() for word in name.split("_"))
    return PluginFailure(code, error.details() or "")


class Refused(Exception):
    """A request that is answered with an error. `code` is one of gRPC's, UNKNOWN as Go has for plain
    errors.
    """

    def __init__(self, message: str, code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(message)
        self.code = code


class PluginServer:
    """A gRPC server on a socket that only the agent's own user can reach.

    `methods` maps names of one `service` to what answers them: the request's message class, and a handler,
    which may raise Refused.
    """

    def __init__(self, socket: Path, service: str, methods: Mapping[str, tuple[Any, Handler]]) -> None:
        self.socket = socket
        self._service = service
        self._methods = methods
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Serve. Raises OSError when the socket cannot be made."""
        if len(os.fsencode(self.socket)) > LONGEST_PATH:
            raise OSError(
                f"{self.socket}: a socket's path may have {LONGEST_PATH} bytes: use a shorter root directory"
            )
        make_folder(self.socket.parent)
        self.socket.unlink(missing_ok=True)
        server = grpc.aio.server(
            options=(("grpc.max_receive_message_length", MOST_BYTES), ("grpc.so_reuseport", 0))
        )
        rpcs = {
            name: grpc.unary_unary_rpc_method_handler(
                _answering(handler), request_deserializer=request.FromString, response_serializer=_serialized
            )
            for name, (request, handler) in self._methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(self._service, rpcs),))
        try:
            server.add_insecure_port(f"unix:{self.socket}")
        except RuntimeError as error:
            raise OSError(f"{self.socket}: nobody can be served there: {error}") from error
        await server.start()
        self.socket.chmod(0o600)
        self._server = server

    async def close(self) -> None:
        """Serve no more; the socket goes."""
        if self._server is not None:
            await self._server.stop(grace=None)
            self._server = None
            self.socket.unlink(missing_ok=True)


def _answering(handler: Handler) -> Callable[[Any, Any], Awaitable[Any]]:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await handler(request)
        except Refused as refusal:
            await context.abort(refusal.code, str(refusal))

    return answer


def _serialized(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def make_folder(folder: Path) -> None:
    """A folder for sockets: nobody but the agent's own user gets in. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def socket_below(folder: Path, path: Path) -> Path:
    """The socket at `path`, which has to be one below `folder`, links followed.

    Raises OutsideFolder, OSError when there is none.
    """
    real = path.resolve(strict=True)
    if folder.resolve() not in real.parents:
        raise OutsideFolder(f"socket {path} is refused: it is not below {folder}")
    if not stat.S_ISSOCK(real.stat().st_mode):
        raise OutsideFolder(f"{path} is refused: it is no socket")
    return real
