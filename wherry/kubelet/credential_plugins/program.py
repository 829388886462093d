"""Running a credential provider plug-in: a request on its standard input, a response on its standard output.

It is the administrator's own program, but it may hang, write without end or leave children: it has a minute,
so many bytes, and a process group of its own that ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kubelet.credential_plugins.config import CredentialProvider
from wherry.objects.go_durations import parse_go_duration

TIMEOUT_S = 60.0
LARGEST_ANSWER = 1 << 20
LARGEST_COMPLAINT = 4 << 10
PIECE = 1 << 16
IMAGE, REGISTRY, GLOBAL = "Image", "Registry", "Global"


class PluginFailure(Exception):
    """There are no credentials to be had of it; the text says why and holds none."""


class NotAsked(PluginFailure):
    """It is not for that pod: nothing went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: credentials for an image, for a pod with that account if it matters."""

    image: str
    token: str = field(default="", repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Credentials by the names of registries; for what they hold (IMAGE, ...) and how long (None: unsaid)."""

    cache_key_type: str
    cache_s: float | None
    auth: Mapping[str, Mapping[str, str]] = field(repr=False)


class Program(Protocol):
    """What is asked for credentials."""

    async def ask(self, request: Request) -> Response:
        """What it says. Raises PluginFailure."""
        ...


class PluginProgram:
    """The program of a provider."""

    def __init__(self, provider: CredentialProvider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock

    async def ask(self, request: Request) -> Response:
        """See `Program.ask`."""
        provider = self._provider
        told: dict[str, Any] = {
            "kind": "CredentialProviderRequest",
            "apiVersion": provider.api_version,
            "image": request.image,
        }
        if provider.token is not None:
            told |= {"serviceAccountToken": request.token} if request.token else {}
            told |= {"serviceAccountAnnotations": dict(request.annotations)} if request.annotations else {}
        output = await self._run(json.dumps(told, separators=(",", ":")).encode() + b"\n", request.image)
        return parse_response(output, provider.api_version)

    async def _run(self, given: bytes, image: str) -> bytes:
        """What the program writes. Raises PluginFailure."""
        provider = self._provider
        what = f"error execing credential provider plugin {provider.name} for image {image}"
        complaint = bytearray()
        async with AsyncExitStack() as stack:
            output_end, output = await stack.enter_async_context(_pipe())
            error_end, errors = await stack.enter_async_context(_pipe())
            request = stack.enter_context(_file_of(given))
            try:
                process = await asyncio.create_subprocess_exec(
                    str(provider.path),
                    *provider.args,
                    env={**os.environ, **dict(provider.env)},
                    stdin=request,
                    stdout=output_end,
                    stderr=error_end,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", "") or str(error)
                raise PluginFailure(f"{what}: fork/exec {provider.path}: {why.lower()}") from error
            finally:
                os.close(output_end)
                os.close(error_end)
            try:
                talk = _talk(process, output, errors, complaint)
                answer, code = await within(TIMEOUT_S, talk, self._clock)
            except TimeoutError:
                raise PluginFailure(f"{what}: context deadline exceeded: {_shown(complaint)}") from None
            except _TooMuch:
                raise PluginFailure(f"{what}: wrote more than {LARGEST_ANSWER} bytes") from None
            finally:
                await _end(process)
        if code:
            how = f"exit status {code}" if code > 0 else f"signal: {_signal_name(-code)}"
            raise PluginFailure(f"{what}: {how}: {_shown(complaint)}")
        return answer


@contextlib.contextmanager
def _file_of(content: bytes) -> Iterator[int]:
    """A file in memory with that content, to be read from its beginning."""
    descriptor = os.memfd_create("request")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """The end to write to, which whoever gets it closes, and a reader.

    Not those asyncio makes for a process: it takes a process for ended only when they are closed, and whoever
    left it may keep them open.
    """
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    file = os.fdopen(reading, "rb", 0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    try:
        yield writing, reader
    finally:
        transport.close()


class _TooMuch(Exception):
    """It wrote more than anybody needs."""


async def _talk(
    process: asyncio.subprocess.Process,
    output: asyncio.StreamReader,
    errors: asyncio.StreamReader,
    complaint: bytearray,
) -> tuple[bytes, int]:
    """Hear the program out; its output and exit code."""

    async def listen() -> bytes:
        answer = bytearray()
        while piece := await output.read(PIECE):
            answer += piece
            if len(answer) > LARGEST_ANSWER:
                raise _TooMuch
        return bytes(answer)

    async def hear() -> None:
        while piece := await errors.read(PIECE):
            complaint.extend(piece[: max(0, LARGEST_COMPLAINT - len(complaint))])

    listening, hearing = asyncio.ensure_future(listen()), asyncio.ensure_future(hear())
    try:
        await asyncio.gather(listening, hearing)
        return listening.result(), await process.wait()
    finally:
        for task in (listening, hearing):
            task.cancel()
        await asyncio.wait((listening, hearing))


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let nothing of it go on, not the children it left either."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_name(number: int) -> str:
    try:
        return (signal.strsignal(number) or str(number)).lower()
    except ValueError:
        return str(number)


def _shown(complaint: bytearray) -> str:
    """What it said on its standard error, in one line."""
    return " ".join(bytes(complaint).decode(errors="replace").split())


def parse_response(output: bytes, api_version: str) -> Response:
    """What a program wrote. Raises PluginFailure, which shows nothing of it: it may be credentials."""
    try:
        told = json.loads(output)
        version = told.get("apiVersion") or ""
        kind = told.get("kind") or ""
    except (ValueError, AttributeError, RecursionError):
        raise PluginFailure("error reading GVK from response: it is no JSON object") from None
    if version != api_version:
        raise PluginFailure(
            "apiVersion from credential plugin response did not match expected "
            f"apiVersion:{api_version}, actual apiVersion:{str(version)[:80]}"
        )
    response = _decoded(told) if kind == "CredentialProviderResponse" else None
    if response is None:
        raise PluginFailure("error decoding credential provider plugin response from stdout")
    if response.cache_key_type not in (IMAGE, REGISTRY, GLOBAL):
        said = json.dumps(response.cache_key_type[:80])
        raise PluginFailure(f"credential provider plugin did not return a valid cacheKeyType: {said}")
    return response


def _decoded(told: Mapping[str, Any]) -> Response | None:
    """The response, None for one that is none."""
    known = ("kind", "apiVersion", "cacheKeyType", "cacheDuration", "auth")
    key_type, duration, auth = told.get("cacheKeyType") or "", told.get("cacheDuration"), told.get("auth")
    auth = {} if auth is None else auth
    if any(name not in known for name in told) or not isinstance(key_type, str) or not isinstance(auth, dict):
        return None
    for one in auth.values():
        if not isinstance(one, dict) or any(
            name not in ("username", "password") or not isinstance(value, str) for name, value in one.items()
        ):
            return None
    try:
        cache_s = None if duration is None else parse_go_duration(duration) / 1e9
    except (ValueError, TypeError):
        return None
    return Response(cache_key_type=key_type, cache_s=cache_s, auth=auth)
