"""A peer that sends any bytes it likes over TLS, and reads what comes back.

Our own client and aiohttp would correct, refuse or never produce most of what is sent here.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.apiserver.rig import Rig, files
from tests.timing import PATIENCE_S

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


class Reply(NamedTuple):
    """One answer as it came: status code, headers by lower-case name, body without its framing."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.body)


def tls() -> ssl.SSLContext:
    """A context that trusts the tests' authority."""
    return ssl.create_default_context(cafile=str(files().authority.cert))


@dataclass
class Peer:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each on its own. A server that hung up meanwhile is no error."""
        try:
            for piece in pieces:
                self.writer.write(piece)
                await self.writer.drain()
        except ConnectionError:
            return

    async def reply(self, *, has_body: bool = True) -> Reply:
        """The next whole answer; one to HEAD has no body.

        Raises asyncio.IncompleteReadError when the connection ends first.
        """
        async with asyncio.timeout(PATIENCE_S):
            while True:
                head = await self.reader.readuntil(b"\r\n\r\n")
                status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
                code = int(status_line.split()[1])
                if code != 100:
                    break
            pairs = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            return Reply(code, headers, await self._body(headers) if has_body else b"")

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return b""
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return body

    async def ended(self) -> bytes:
        """What still came before the server hung up."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read()
            except (ConnectionError, ssl.SSLError):
                return b""


@asynccontextmanager
async def connected(port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A connection to the server on loopback while the block runs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context or tls(), limit=1 << 24)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


def head(method: str, target: str | bytes, headers: Mapping[str, str] | None = None, **more: str) -> bytes:
    """A request's head as the administrator sends it; `more` are headers with `_` for `-`."""
    given = {"Host": "x", "Authorization": "Bearer admin-token", **(headers or {})}
    given.update({name.replace("_", "-"): value for name, value in more.items()})
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    path = target if isinstance(target, bytes) else target.encode("latin-1")
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), path, lines.encode("latin-1"))


def request(
    method: str, target: str | bytes, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """A whole request with a body of known length."""
    return head(method, target, {**(headers or {}), "Content-Length": str(len(body))}) + body


async def ask(
    rig: Rig,
    method: str,
    target: str | bytes,
    body: bytes = b"",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request on a connection of its own."""
    sent = {"Content-Type": content_type, **(headers or {})} if content_type else headers
    async with connected(rig.server.port) as peer:
        await peer.send(request(method, target, body, sent))
        return await peer.reply(has_body=method != "HEAD")


def refused(reply: Reply, code: int, reason: str | None, text: str = "") -> None:
    """Assert that `reply` is a metav1.Status that refuses with these."""
    assert reply.code == code, (reply.code, reply.body[:500])
    assert reply.headers["content-type"] == "application/json"
    status = reply.json
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert (status["code"], status.get("reason")) == (code, reason)
    assert text in status["message"], status["message"]
