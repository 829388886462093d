"""Upgraded connections, passed through: the request's head goes on, then bytes go both ways.

What is spoken (SPDY/3.1 or WebSocket) is a matter between the client and whoever answers; nothing
of it is looked at here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import httptools

from wherry.apiserver.outbound import ANYBODY, Outbound, Target, Trust, foreign_error
from wherry.kit.httpd.message import Duplex, UpgradeResponse
from wherry.objects.errors import ApiError, bad_request

PASSED_ON = (
    "connection",
    "upgrade",
    "user-agent",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "x-stream-protocol-version",
    "content-type",
    "origin",
)
HEAD_LIMIT = 64 * 1024
READ_BYTES = 64 * 1024
REFUSAL_LIMIT = 16 * 1024


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether the client wants to leave HTTP."""
    return bool(headers.get("upgrade")) and "upgrade" in headers.get("connection", "").lower()


class _Head:
    """The head of a response, as httptools reports it."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.is_complete = True


async def tunnel(
    outbound: Outbound,
    target: Target,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    trust: Trust = ANYBODY,
) -> UpgradeResponse:
    """Ask `target` for the upgrade; once granted, the answer that joins both ends.

    Raises Unreachable; ApiError: 400 without an upgrade, else what the other end said.
    """
    if not is_upgrade(headers):
        raise bad_request("Upgrade request required")
    head = _request_head(method, target, target.url(path, query).raw_path_qs, headers)
    reader, writer = await outbound.connect(target, trust)
    try:
        writer.write(head)
        await writer.drain()
        status, answered, rest = await _read_head(reader)
        if status != 101:
            raise await _refusal(status, rest, reader)
    except BaseException:
        writer.close()
        raise

    async def run(client: Duplex) -> None:
        try:
            if rest:
                client.write(rest)
            await _join(client, reader, writer)
        finally:
            writer.close()

    return UpgradeResponse(run, answered)


def _request_head(method: str, target: Target, asked: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {asked} HTTP/1.1", f"Host: {target.authority}"]
    lines.extend(f"{name}: {headers[name]}" for name in PASSED_ON if name in headers)
    if method == "POST":
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, Sequence[tuple[str, str]], bytes]:
    """Status, headers, and the first bytes behind them. Raises ApiError (502)."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = await reader.read(READ_BYTES)
        received += data
        if not data or len(received) > HEAD_LIMIT:
            raise ApiError(502, "", "error dialing backend: the answer is no HTTP response")
    end = received.index(b"\r\n\r\n") + 4
    head = _Head()
    parser = httptools.HttpResponseParser(head)
    try:
        parser.feed_data(received[:end])
    except httptools.HttpParserUpgrade:
        pass  # what an upgrade looks like to the parser
    except httptools.HttpParserError as error:
        raise ApiError(502, "", f"error dialing backend: {error}") from error
    return parser.get_status_code(), head.headers, received[end:]


async def _refusal(status: int, rest: bytes, reader: asyncio.StreamReader) -> ApiError:
    text = rest
    try:
        async with asyncio.timeout(1.0):
            while len(text) < REFUSAL_LIMIT and (data := await reader.read(READ_BYTES)):
                text += data
    except TimeoutError:
        pass  # a connection kept open after its answer: what came is what there is
    return foreign_error(status, text, "the node")


async def _join(client: Duplex, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes both ways until the far end is done, or either is gone."""

    async def upwards() -> None:
        while data := await client.read():
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    sending = asyncio.ensure_future(upwards())
    try:
        while data := await reader.read(READ_BYTES):
            client.write(data)
            await client.drain()
    except ConnectionError:
        return  # the far end broke off: so does the client's connection
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        if not sending.cancelled():
            sending.exception()  # it failed the same way the other direction did
