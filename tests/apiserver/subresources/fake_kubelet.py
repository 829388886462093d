"""A kubelet's HTTPS server that answers with what it was asked, for tests of the way there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.apiserver.rig import files
from wherry.kit.httpd.message import (
    Answer,
    Duplex,
    Request,
    Response,
    StreamResponse,
    UpgradeResponse,
    Writer,
)
from wherry.kit.httpd.server import Server


class FakeKubelet:
    """Remembers requests; logs two pieces, echoes upgraded connections in capitals."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self.more_log = asyncio.Event()
        self.log_ended = asyncio.Event()
        self.pages: dict[str, tuple[bytes, str]] = {}
        """Bodies of HTML pages and how they are encoded, by path."""
        self.page_type = "text/html"

    def handle(self, request: Request) -> Answer:
        """Answer by path."""
        self.requests.append(request)
        if request.path.startswith("/containerLogs/default/broken"):
            return Response(b'container "web" in pod "broken" is waiting to start', 400, "text/plain")
        if request.path.startswith("/containerLogs/"):
            return StreamResponse(self._logs, content_type="text/plain")
        if request.headers.get("upgrade"):
            headers = (("Connection", "Upgrade"), ("Upgrade", request.headers["upgrade"]))
            return UpgradeResponse(_echo, headers)
        if request.path == "/old":
            return Response(b"", 302, headers=(("Location", "/new/?x=1"),))
        if request.path == "/page":
            opened = (("Access-Control-Allow-Origin", "*"),)
            return Response(
                b'<a href="/x">there</a>', content_type="text/html; charset=utf-8", headers=opened
            )
        if request.path in self.pages:
            body, encoding = self.pages[request.path]
            return Response(body, content_type=self.page_type, headers=(("Content-Encoding", encoding),))
        if request.path == "/cut":
            return StreamResponse(self._cut, content_type="text/plain")
        return Response(b"hello", headers=(("X-Served-By", "kubelet"),), content_type="text/plain")

    async def _cut(self, writer: Writer) -> None:
        writer.write(b"first\n")
        await self.more_log.wait()
        writer.abort()

    async def _logs(self, writer: Writer) -> None:
        try:
            writer.write(b"first\n")
            await self.more_log.wait()
            writer.write(b"second\n")
        finally:
            self.log_ended.set()


async def _echo(peer: Duplex) -> None:
    peer.write(b"ready;")
    while data := await peer.read():
        peer.write(data.upper())
        if b"end" in data:
            return


@asynccontextmanager
async def kubelet(*, demands: bool = True) -> AsyncIterator[FakeKubelet]:
    """A fake kubelet that demands the API server's client certificate, or only looks at it."""
    fake = FakeKubelet()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(files().server.cert), str(files().server.key))
    context.load_verify_locations(str(files().authority.cert))
    context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_OPTIONAL
    server = Server(fake.handle, ssl_context=context)
    fake.port = await server.start()
    try:
        yield fake
    finally:
        await server.close()
