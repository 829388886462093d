"""Probes over real loopback sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from aiohttp import web

from wherry.kubelet.probes.grpc import METHOD, probe_grpc
from wherry.kubelet.probes.http import HttpProber
from wherry.kubelet.probes.prober import NetworkProber
from wherry.kubelet.probes.result import Outcome
from wherry.kubelet.probes.target import NoSuchPort, http_target, resolve_port
from wherry.kubelet.probes.tcp import probe_tcp
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.streams import ExecResult
from wherry.objects.meta import Object


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, list[web.Request]]]:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        match request.path:
            case "/slow":
                await asyncio.sleep(5)
            case "/to-ok":
                raise web.HTTPFound("/ok")
            case "/away":
                raise web.HTTPFound("http://192.0.2.9/")
        return web.Response(status=int(request.path.strip("/")) if request.path[1:].isdigit() else 200)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], seen
    finally:
        await runner.cleanup()


@pytest.fixture
async def http() -> AsyncIterator[HttpProber]:
    prober = HttpProber()
    yield prober
    await prober.close()


@pytest.mark.parametrize(
    ("path", "outcome", "output"),
    [
        ("/ok", Outcome.SUCCESS, ""),
        ("/399", Outcome.SUCCESS, ""),
        ("/404", Outcome.FAILURE, "HTTP probe failed with statuscode: 404"),
        ("/to-ok", Outcome.SUCCESS, ""),
    ],
)
async def test_http(http: HttpProber, path: str, outcome: Outcome, output: str) -> None:
    async with serving() as (port, _):
        target = http_target({"path": path, "port": port}, {}, ["127.0.0.1"], "kube-probe/1.37")
        found = await http.get(target, 2.0)
    assert (found.outcome, found.output) == (outcome, output)


async def test_http_redirect_to_another_host_is_a_warning(http: HttpProber) -> None:
    async with serving() as (port, _):
        found = await http.get(http_target({"path": "/away", "port": port}, {}, ["127.0.0.1"], "a"), 2.0)
    assert found.outcome is Outcome.WARNING
    assert found.output.startswith("Probe terminated redirects")


async def test_http_sends_headers(http: HttpProber) -> None:
    headers = [{"name": "X-Mine", "value": "1"}, {"name": "Host", "value": "example.org"}]
    async with serving() as (port, seen):
        action = {"path": "/ok", "port": port, "httpHeaders": headers}
        await http.get(http_target(action, {}, ["127.0.0.1"], "kube-probe/1.37"), 2.0)
    assert seen[0].headers["X-Mine"] == "1"
    assert seen[0].headers["Host"] == "example.org"
    assert seen[0].headers["User-Agent"] == "kube-probe/1.37"


async def test_http_nobody_there(http: HttpProber, unused_tcp_port: int) -> None:
    target = http_target({"port": unused_tcp_port}, {}, ["127.0.0.1"], "a")
    found = await http.get(target, 2.0)
    where = f"127.0.0.1:{unused_tcp_port}"
    assert found.output == f'Get "http://{where}/": dial tcp {where}: connect: connection refused'
    assert not found.reached


async def test_http_too_slow(http: HttpProber) -> None:
    async with serving() as (port, _):
        found = await http.get(http_target({"path": "/slow", "port": port}, {}, ["127.0.0.1"], "a"), 0.05)
    assert found.outcome is Outcome.FAILURE
    assert found.output.endswith("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")


async def test_tcp(unused_tcp_port: int) -> None:
    async with serving() as (port, _):
        assert (await probe_tcp("127.0.0.1", port, 1.0)).outcome is Outcome.SUCCESS
    found = await probe_tcp("127.0.0.1", unused_tcp_port, 1.0)
    assert found.output == f"dial tcp 127.0.0.1:{unused_tcp_port}: connect: connection refused"


@pytest.mark.parametrize(
    ("answer", "outcome"), [(b"\x08\x01", Outcome.SUCCESS), (b"\x08\x02", Outcome.FAILURE)]
)
async def test_grpc(answer: bytes, outcome: Outcome) -> None:
    asked: list[bytes] = []

    async def check(request: bytes, _: Any) -> bytes:
        asked.append(request)
        return answer

    server = grpc.aio.server()
    _, service, method = METHOD.split("/")
    handler = grpc.unary_unary_rpc_method_handler(check, lambda b: b, lambda b: b)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert (await probe_grpc("127.0.0.1", port, "db", 2.0)).outcome is outcome
    finally:
        await server.stop(None)
    assert asked == [b"\x0a\x02db"]


class Runtime:
    """Answers exec as told."""

    def __init__(self, answer: ExecResult | Exception) -> None:
        self.answer = answer

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_s: float) -> ExecResult:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "outcome", "output"),
    [
        (ExecResult(0, b"fine", b""), Outcome.SUCCESS, "fine"),
        (ExecResult(1, b"out", b"err"), Outcome.FAILURE, "outerr"),
        (TimeoutError(), Outcome.FAILURE, "command timed out: 'check it' timed out after 1s"),
        (RuntimeFailure("gone"), Outcome.UNKNOWN, "gone"),
    ],
)
async def test_exec(http: HttpProber, answer: Any, outcome: Outcome, output: str) -> None:
    prober = NetworkProber(Runtime(answer), http)  # type: ignore[arg-type]
    probe = {"exec": {"command": ["check", "it"]}}
    found = await prober.probe(probe, {"name": "web"}, "c1", [])
    assert (found.outcome, found.output) == (outcome, output)


@pytest.mark.parametrize(("port", "number"), [(80, 80), ("80", 80), ("http", 8080)])
def test_ports(port: int | str, number: int) -> None:
    container: Object = {"ports": [{"name": "http", "containerPort": 8080}]}
    assert resolve_port(port, container) == number


@pytest.mark.parametrize("port", ["nope", 0, 70000])
def test_no_such_port(port: int | str) -> None:
    with pytest.raises(NoSuchPort):
        resolve_port(port, {})
