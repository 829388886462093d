"""SPDY frames, and the bridge from WebSocket channels to them."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from wherry.kubelet.server.bridge import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, Wanted, bridge, dial
from wherry.kubelet.server.spdy import DICTIONARY
from wherry.kubelet.server.tunnel import UpgradeRefused, connect

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n"


class Runtime:
    """The server's side of one SPDY connection, as a container runtime's library has it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.streams: dict[str, int] = {}
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    async def frame(self) -> tuple[int, int, bytes]:
        head, size = struct.unpack(">II", await self.reader.readexactly(8))
        return head, size >> 24, await self.reader.readexactly(size & 0xFFFFFF)

    async def accept(self, count: int) -> None:
        """Take `count` new streams and answer them."""
        for _ in range(count):
            head, _, body = await self.frame()
            assert head == 0x80030001
            number = struct.unpack(">I", body[:4])[0]
            block = self._inflate.decompress(body[10:])
            fields, at = [], 4
            while at < len(block):
                length = struct.unpack_from(">I", block, at)[0]
                fields.append(block[at + 4 : at + 4 + length].decode())
                at += 4 + length
            assert fields[0] == "streamtype"
            self.streams[fields[1]] = number
            self.writer.write(struct.pack(">III", 0x80030002, 4, number))

    def send(self, name: str, data: bytes, *, fin: bool = False) -> None:
        self.writer.write(struct.pack(">II", self.streams[name], fin << 24 | len(data)) + data)

    def reset(self, name: str) -> None:
        self.writer.write(struct.pack(">IIII", 0x80030003, 8, self.streams[name], 5))


class Client:
    """A WebSocket with what the client sends queued in it."""

    def __init__(self, *messages: bytes) -> None:
        self.incoming: asyncio.Queue[bytes | str | None] = asyncio.Queue()
        for message in messages:
            self.incoming.put_nowait(message)
        self.sent: list[bytes] = []

    async def receive(self) -> bytes | str | None:
        return await self.incoming.get()

    async def send(self, message: bytes | str) -> None:
        assert isinstance(message, bytes)
        self.sent.append(message)


@asynccontextmanager
async def serving(behave: Callable[[Runtime], Coroutine[Any, Any, None]]) -> AsyncIterator[str]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"POST /exec/token HTTP/1.1\r\n")
            writer.write(UPGRADED)
            await behave(Runtime(reader, writer))
        except BaseException as error:
            done.set_exception(error)
            raise
        else:
            done.set_result(None)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"http://{host}:{port}/exec/token"
        await done


def test_the_dictionary_is_the_standards() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@pytest.mark.parametrize(
    ("wanted", "channels"),
    [
        (Wanted(stdout=True), [ERROR, STDOUT]),
        (Wanted(stdin=True, stdout=True, stderr=True), [ERROR, STDIN, STDOUT, STDERR]),
        (Wanted(stdin=True, stdout=True, stderr=True, tty=True), [ERROR, STDIN, STDOUT, RESIZE]),
    ],
)
def test_streams_to_open(wanted: Wanted, channels: list[int]) -> None:
    assert wanted.channels() == channels


async def test_stdin_its_end_and_the_outcome() -> None:
    async def behave(runtime: Runtime) -> None:
        await runtime.accept(4)
        assert await runtime.frame() == (runtime.streams["stdin"], 0, b"hello")
        assert await runtime.frame() == (runtime.streams["stdin"], 1, b"")
        runtime.send("stdout", b"out")
        runtime.send("stderr", b"err", fin=True)
        runtime.send("stdout", b"", fin=True)
        runtime.send("error", b'{"status":"Success"}')
        runtime.reset("error")

    client = Client(bytes([STDIN]) + b"hello", bytes([CLOSE, STDIN]), bytes([STDIN]) + b"too late")
    async with serving(behave) as url:
        await bridge(client, await dial(url), Wanted(stdin=True, stdout=True, stderr=True))
    assert client.sent == [b"\x01out", b"\x02err", b'\x03{"status":"Success"}']


async def test_terminal_sizes() -> None:
    async def behave(runtime: Runtime) -> None:
        await runtime.accept(3)
        assert await runtime.frame() == (runtime.streams["resize"], 0, b'{"Width":80,"Height":24}')
        runtime.send("stdout", b"x", fin=True)
        runtime.send("error", b"{}", fin=True)

    client = Client(bytes([RESIZE]) + b'{"Width":80,"Height":24}')
    async with serving(behave) as url:
        await bridge(client, await dial(url), Wanted(stdout=True, tty=True))
    assert client.sent == [b"\x01x", b"\x03{}"]


async def test_a_broken_connection_is_no_success() -> None:
    async def behave(runtime: Runtime) -> None:
        await runtime.accept(2)
        runtime.send("stdout", b"half")

    client = Client()
    async with serving(behave) as url:
        await bridge(client, await dial(url), Wanted(stdout=True))
    half, outcome = client.sent
    assert half == b"\x01half"
    assert outcome[0] == ERROR
    assert json.loads(outcome[1:])["status"] == "Failure"


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("body", [b"", b"\0\0\1"])
async def test_a_frame_without_a_stream_breaks_the_connection(kind: int, body: bytes) -> None:
    async def behave(runtime: Runtime) -> None:
        await runtime.accept(2)
        runtime.writer.write(struct.pack(">II", 0x80030000 | kind, 1 << 24 | len(body)) + body)
        assert await runtime.reader.read() == b"", "the client hangs up"

    client = Client()
    async with serving(behave) as url:
        await bridge(client, await dial(url), Wanted(stdout=True))
    (outcome,) = client.sent
    assert outcome[0] == ERROR
    assert json.loads(outcome[1:])["status"] == "Failure"


async def test_the_client_leaving_ends_it() -> None:
    left = asyncio.Event()

    async def behave(runtime: Runtime) -> None:
        await runtime.accept(2)
        client.incoming.put_nowait(None)
        assert await runtime.reader.read() == b""
        left.set()

    client = Client()
    async with serving(behave) as url:
        await bridge(client, await dial(url), Wanted(stdout=True))
        await left.wait()


async def test_a_refusal_is_passed_on() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\nno such token")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(UpgradeRefused) as raised:
            await connect(f"http://127.0.0.1:{port}/x?y=z", "GET", {"Upgrade": "websocket"})
    assert (raised.value.status, raised.value.body) == (404, b"no such token")
