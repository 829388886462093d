"""Health of a component alone: its flags say where and how; a port in use is said with the flag."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.timing import PATIENCE_S
from wherry.cluster.alone.flags import Values, parse
from wherry.cluster.alone.healthz import answering_at, answering_health, serving_flags
from wherry.cluster.components import PermanentError
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki

FLAGS = serving_flags(0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        found: int = probe.getsockname()[1]
        return found


def told(*arguments: str) -> Values:
    return parse("program", FLAGS, arguments)


def shown(port: int, context: ssl.SSLContext) -> bytes:
    """What is served at `/healthz?verbose`, to a client of this kind."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"GET /healthz?verbose HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: secure.recv(1 << 16), b""))


async def ask(port: int, context: ssl.SSLContext) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, shown, port, context)


def trusting(file: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(file) if file is not None else None)
    if file is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def test_it_is_served_with_the_certificate_that_is_named(tmp_path: Path) -> None:
    pki = Pki(tmp_path, datetime.now(UTC))
    pair = pki.leaf("serving", Subject(common_name="c", hosts=("localhost",)))
    values = told(
        f"--secure-port={free_port()}", f"--tls-cert-file={pair.cert}", f"--tls-private-key-file={pair.key}"
    )
    async with answering_health(values, {"leads": str}) as port:
        said = await ask(port, trusting(pki.authority.cert))
        assert said.startswith(b"HTTP/1.1 200")
        assert b"[+]ping ok\n[+]leads ok\n" in said


async def test_its_tls_is_what_the_flags_say() -> None:
    older = trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    async with answering_health(told(f"--secure-port={free_port()}"), {}) as port:
        assert b"200" in await ask(port, older)
    values = told(f"--secure-port={free_port()}", "--tls-min-version=VersionTLS13")
    async with answering_health(values, {}) as port:
        assert b"200" in await ask(port, trusting())
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await ask(port, older)


async def test_none_is_served_at_port_0() -> None:
    async with answering_health(told("--secure-port=0"), {}) as port:
        assert port == 0


async def test_a_port_in_use_is_said_with_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = f"cannot listen on 127.0.0.1:{port}: .*; choose with --"
        with pytest.raises(PermanentError, match=f"{said}secure-port"):
            async with answering_health(told(f"--secure-port={port}"), {}):
                pass
        with pytest.raises(PermanentError, match=f"{said}healthz-port"):
            async with answering_at("127.0.0.1", port, {}, "--healthz-port"):
                pass
