"""The HTTPS transport against a server that goes silent: a peer that vanished without a word."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest

from tests.timing import PATIENCE_S
from wherry.api.rbac.roles import ROLES
from wherry.client import http
from wherry.client.api import Client
from wherry.client.http import HttpIdentity, HttpTransport
from wherry.cluster.pki import Pki
from wherry.kit.sockets import client_socket
from wherry.objects.errors import ApiError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """Answers a watch with one event and then says nothing, for ever; gives its port."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        gone.set()


@pytest.fixture
def identity(tmp_path: Path) -> HttpIdentity:
    authority = Pki(tmp_path, datetime.now(UTC)).authority
    return HttpIdentity(ca_file=authority.cert)


async def test_a_watch_that_falls_silent_ends(
    identity: HttpIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WATCH_SILENCE_S", 0.2)
    async with silent_server() as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", identity)
        stream = transport.watch("/api/v1/pods", {"watch": "true"})
        assert (await anext(stream)).type == "ADDED"
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ApiError) as caught:
                await anext(stream)
        assert caught.value.code == 503
        await transport.close()


async def test_its_sockets_notice_a_peer_that_vanished(
    identity: HttpIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    original = client_socket

    def noting(address: tuple[object, ...]) -> socket.socket:
        made.append(original(address))
        return made[-1]

    monkeypatch.setattr("wherry.client.http.client_socket", noting)
    async with silent_server() as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", identity)
        stream = transport.watch("/api/v1/pods", {"watch": "true"})
        await anext(stream)
        (connection,) = made
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        await transport.close()


NAMES = ("a?b=c", "a#b", "a b", "\u00fc", "a:b", "a?watch=true#x", "a+b", "a&b;c")


async def asked_lines(
    identity: HttpIdentity, work: Callable[[Client], Awaitable[object]]
) -> tuple[str, Mapping[str, str]]:
    """The path a server reads, decoded, and the query, of the one request `work` makes."""
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines.append(head.partition("\r\n")[0].split(" ")[1])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        transport = HttpTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", identity)
        try:
            await work(Client(transport))
        finally:
            await transport.close()
    (line,) = lines
    path, _, query = line.partition("?")
    assert "#" not in line
    return unquote(path), dict(parse_qsl(query))


async def first_of(stream: AsyncIterator[object]) -> object:
    return await anext(stream, None)


CALLS: dict[str, Callable[[Client, str], Awaitable[object]]] = {
    "get": lambda c, n: c.get(ROLES, n, n),
    "list": lambda c, n: c.list(ROLES, n),
    "watch": lambda c, n: first_of(c.watch(ROLES, n)),
    "create": lambda c, n: c.create(ROLES, {"metadata": {"name": n, "namespace": n}}),
    "create_subresource": lambda c, n: c.create_subresource(ROLES, n, n, "status", {}),
    "update": lambda c, n: c.update(ROLES, {"metadata": {"name": n, "namespace": n}}),
    "update_status": lambda c, n: c.update_status(ROLES, {"metadata": {"name": n, "namespace": n}}),
    "patch": lambda c, n: c.patch(ROLES, n, n, {}),
    "delete": lambda c, n: c.delete(ROLES, n, n),
    "delete_collection": lambda c, n: c.delete_collection(ROLES, n),
    "raw": lambda c, n: c.raw(f"/apis/x/{n}"),
}
WITHOUT_PATHS = {"beat", "close"}


def test_every_call_of_a_client_is_walked() -> None:
    public = {name for name, one in vars(Client).items() if callable(one) and not name.startswith("_")}
    assert public == CALLS.keys() | WITHOUT_PATHS


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
async def test_whatever_a_name_has_in_it_stays_in_the_path(
    identity: HttpIdentity, call: str, name: str
) -> None:
    path, query = await asked_lines(identity, lambda client: CALLS[call](client, name))
    parts = path.split("/")
    assert name in parts
    assert "b" not in query
    assert query.get("watch") == ("true" if call == "watch" else None)


async def test_percent_signs_are_themselves(identity: HttpIdentity) -> None:
    """No name has one: those of paths people give do."""
    assert (await asked_lines(identity, lambda client: client.raw("/x/100%2f")))[0] == "/x/100%2f"
    with pytest.raises(ApiError, match="may not contain '%'"):
        await asked_lines(identity, lambda client: client.get(ROLES, "a%2fb", "n"))
