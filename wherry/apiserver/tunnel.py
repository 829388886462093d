"""Upgraded connections, passed through: the request's head goes on, then bytes go both ways.

What is spoken (SPDY/3.1 or WebSocket) is a matter between the client and whoever answers; nothing
of it is looked at here. A refusal that is an error is passed on as it is; one that is none (a redirect)
becomes an error (apimachinery's util/proxy, UpgradeAwareHandler).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence

import httptools

from wherry.apiserver.outbound import ANYBODY, HOP_BY_HOP, Outbound, Target, Trust, Unreachable, header_bytes
from wherry.apiserver.passing import check_status
from wherry.kit.httpd.message import Duplex, StreamResponse, UpgradeResponse, Writer
from wherry.kit.sockets import let_pause
from wherry.objects.errors import ApiError, bad_request

log = logging.getLogger(__name__)

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
_ENDS_A_LINE = re.compile(r"[\r\n\0]")
_SENT_ANYWAY = frozenset((*PASSED_ON, "host", "content-length"))
HEAD_LIMIT = 64 * 1024
READ_BYTES = 64 * 1024
REFUSAL_TIMEOUT_S = 10.0


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether the client wants to leave HTTP."""
    return bool(headers.get("upgrade")) and "upgrade" in headers.get("connection", "").lower()


class _Answer:
    """A response, as httptools reports it: its head, and what came of its body and was not taken."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body: list[bytes] = []
        self.is_complete = False
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        code: int = self._parser.get_status_code()
        return code

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    @property
    def has_length(self) -> bool:
        """Whether the body's end can be told from the connection's."""
        return bool(self.header("content-length") or self.header("transfer-encoding"))

    def feed(self, data: bytes) -> None:
        """Raises ApiError (502)."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # what an upgrade looks like to the parser
        except httptools.HttpParserError as error:
            raise ApiError(502, "", f"error dialing backend: {error}") from error

    def taken(self) -> bytes:
        """What came of the body since the last time."""
        body, self.body = b"".join(self.body), []
        return body

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True


async def tunnel(
    outbound: Outbound,
    target: Target,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    trust: Trust = ANYBODY,
    told: Sequence[tuple[str, str]] = (),
) -> UpgradeResponse | StreamResponse:
    """Ask `target` for the upgrade; once granted, the answer that joins both ends, else the refusal.

    Of the client's `headers` those the upgrade needs are sent; `told` are further ones (who asks).
    Raises Unreachable; ApiError: 400 without an upgrade, 500 and 502 for answers that are neither.
    """
    if not is_upgrade(headers):
        raise bad_request("Upgrade request required")
    head = _request_head(method, target, target.url(path, query).raw_path_qs, headers, told)
    reader, writer = await outbound.connect(target, trust)
    try:
        writer.write(head)
        await writer.drain()
        answer, rest = await _read_head(reader)
        if answer.status != 101:
            return _refusal(method, answer, rest, reader, writer)
        let_pause(writer.get_extra_info("socket"))  # a command may leave its input unread
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

    return UpgradeResponse(run, answer.headers)


def _request_head(
    method: str, target: Target, asked: str, headers: Mapping[str, str], told: Sequence[tuple[str, str]]
) -> bytes:
    lines = [f"{method} {asked} HTTP/1.1", f"Host: {target.authority}"]
    lines.extend(f"{name}: {headers[name]}" for name in PASSED_ON if name in headers)
    for name, value in told:
        if _ENDS_A_LINE.search(value):  # a name out of a certificate may have anything in it
            raise Unreachable(f"the value of {name} cannot be sent")
        if name.lower() not in _SENT_ANYWAY:
            lines.append(f"{name}: {header_bytes(value)}")
    if method == "POST":
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> tuple[_Answer, bytes]:
    """The answer as far as its head, and the first bytes behind that. Raises ApiError (502)."""
    received = bytearray()
    end = -1
    while end < 0:
        data = await reader.read(READ_BYTES)
        searched = max(0, len(received) - 3)
        received += data
        end = received.find(b"\r\n\r\n", searched)
        if not data or (end if end >= 0 else len(received)) > HEAD_LIMIT:
            raise ApiError(502, "", "error dialing backend: the answer is no HTTP response")
    answer = _Answer()
    answer.feed(bytes(received[: end + 4]))
    return answer, bytes(received[end + 4 :])


def _refusal(
    method: str, answer: _Answer, rest: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> StreamResponse:
    """An error passed on as it is. Raises ApiError (500, 502), for what is none."""
    if answer.status < 400:
        raise ApiError(500, "", f"invalid upgrade response: status code {answer.status}")
    check_status(answer.status)
    if method == "HEAD":
        writer.close()  # it has no body, and nobody will run for one

    async def run(client: Writer) -> None:
        try:
            async with asyncio.timeout(REFUSAL_TIMEOUT_S):
                data = rest
                while not answer.is_complete and (data or (data := await reader.read(READ_BYTES))):
                    answer.feed(data)
                    client.write(answer.taken())
                    await client.drain()
                    data = b""
            if not answer.is_complete and answer.has_length:
                raise ConnectionError("the other end closed before the end of its answer")
        except (ApiError, OSError, TimeoutError) as error:
            log.info("a refusal passed on broke off: %s", error)
            client.abort()
        finally:
            writer.close()

    headers = [
        (name, value)
        for name, value in answer.headers
        if name.lower() not in HOP_BY_HOP and name.lower() != "content-type"
    ]
    return StreamResponse(run, answer.status, answer.header("content-type"), headers)


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
