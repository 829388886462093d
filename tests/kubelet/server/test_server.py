"""The kubelet's API by requests: who gets in, which path answers, and in which words it refuses."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.kubelet.rig import MACHINE
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki
from wherry.kit.clock import Clock, FakeClock, SystemClock
from wherry.kit.disk import DirectDisk
from wherry.kit.httpd.message import Connection, Request, RequestHeaders, Response, StreamResponse
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.usage import Gauge
from wherry.kubelet.runtimes.containers import Container, ContainerSpec
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.kubelet.server.about import About
from wherry.kubelet.server.access import Asker, Unanswered
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer
from wherry.objects.meta import Object

ADMIN = Asker("admin", ("system:masters",))
BAD_TOKEN = {"Authorization": "Bearer unknown"}
SANDBOX = SandboxSpec(name="web", namespace="default", uid="u1")


def pod(**status: Any) -> Object:
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "u1"},
        "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
        "status": status,
    }


class Sink:
    """Where a streamed answer goes."""

    buffered = 0
    piece_bytes = 1 << 20
    closed = False

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        return

    async def wait_closed(self) -> None:
        return

    def abort(self) -> None:
        return


def about(config: KubeletServerConfig, clock: Clock, root: Path, runtime: Runtime) -> About:
    """The agent a server belongs to, whose machine is a directory."""
    own = KubeletConfig(
        node_name=config.node_name,
        node_ip="10.0.0.1",
        root_dir=root,
        log_dir=config.log_dir,
        cgroup_mount=root / "cgroup",
    )
    disk = DirectDisk()
    gauge = Gauge(runtime, own, clock, disk)
    return About(config=own, machine=lambda: MACHINE, disk=disk, gauge=gauge)


class PaperReviews:
    """What an API server would say: tokens by text, rights as (user, verb, subresource)."""

    def __init__(self) -> None:
        self.tokens: dict[str, Asker] = {}
        self.rights: set[tuple[str, str, str]] = set()
        self.asked: list[tuple[str, str, str]] = []
        self.is_away = False

    async def who(self, token: str) -> Asker | None:
        if self.is_away:
            raise Unanswered("it is away")
        return self.tokens.get(token)

    async def may(self, asker: Asker, verb: str, subresource: str) -> bool:
        if self.is_away:
            raise Unanswered("it is away")
        self.asked.append((asker.user, verb, subresource))
        return self.asked[-1] in self.rights


class Setup:
    """A server over a fake runtime, asked without a network by an administrator."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime(self.clock, [Image("img", ("img:1",), 1)])
        self.pods = [pod()]
        self.directory = directory
        self.reviews = PaperReviews()
        self.config = KubeletServerConfig(
            node_name="n",
            cert_file=directory / "server.crt",
            key_file=directory / "server.key",
            client_ca_file=directory / "ca.crt",
            log_dir=directory,
            host="127.0.0.1",
            port=0,
            **settings,
        )
        self.sync_error = ""
        self.about = replace(
            about(self.config, self.clock, directory, self.runtime), sync_error=lambda: self.sync_error
        )
        self.server = self.serve()

    def serve(self) -> KubeletServer:
        return KubeletServer(
            self.runtime, lambda: self.pods, self.config, self.clock, self.about, self.reviews
        )

    async def ask(
        self,
        path: str,
        query: str = "",
        *,
        method: str = "GET",
        asker: Asker | None = ADMIN,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        connection = Connection(("127.0.0.1", 1), None)
        connection.memo["asker"] = asker
        sent = RequestHeaders(headers or {})
        return await self.server.answer(Request(method, path, path, query, sent, b"", connection))

    async def text(self, path: str, query: str = "") -> tuple[int, str]:
        """The status and body of an answer, streamed or not."""
        answer = await self.ask(path, query)
        if isinstance(answer, StreamResponse):
            sink = Sink()
            await answer.run(sink)
            return answer.status, sink.data.decode()
        assert isinstance(answer, Response)
        return answer.status, answer.body.decode()

    async def run(self, attempt: int = 0, *, log: str = "") -> Container:
        """A running container of the pod, with a log."""
        sandboxes = await self.runtime.sandboxes("u1")
        sandbox = replace(SANDBOX, log_directory=str(self.directory))
        sandbox_id = sandboxes[0].id if sandboxes else await self.runtime.run_sandbox(sandbox)
        (self.directory / f"{attempt}.log").write_text(log)
        spec = ContainerSpec(name="c", attempt=attempt, image="img", log_path=f"{attempt}.log")
        container_id = await self.runtime.create_container(sandbox_id, sandbox, spec)
        await self.runtime.start_container(container_id)
        (found,) = [c for c in await self.runtime.containers("u1") if c.id == container_id]
        return found


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


async def test_pages(setup: Setup) -> None:
    await setup.run()
    assert await setup.text("/healthz") == (200, "ok")
    assert json.loads((await setup.text("/pods"))[1])["items"] == setup.pods
    (running,) = json.loads((await setup.text("/runningpods/"))[1])["items"]
    assert running["metadata"] == {"name": "web", "namespace": "default", "uid": "u1"}
    assert running["spec"]["containers"][0]["name"] == "c"
    summary = json.loads((await setup.text("/stats/summary"))[1])
    assert summary["node"]["nodeName"] == "n"
    assert (await setup.text("/nothing"))[0] == 404


async def test_logs(setup: Setup) -> None:
    await setup.run(0, log="2026-01-01T00:00:00Z stdout F first run\n")
    second = await setup.run(1, log="2026-01-01T00:00:00Z stdout F one\n2026-01-01T00:00:00Z stdout F two\n")
    path = "/containerLogs/default/web/c"
    assert await setup.text(path) == (200, "one\ntwo\n")
    assert await setup.text(path, "tailLines=1") == (200, "two\n")
    assert await setup.text(path, "previous=true") == (200, "first run\n")
    setup.runtime.finish(second.id, 0)
    assert await setup.text(path, "follow=true") == (200, "one\ntwo\n")


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("default/other/c", "", (404, 'pod "other" does not exist\n')),
        ("default/web/x", "", (404, 'container "x" not found in pod "web"\n')),
        ("default/web/c", "", (400, 'container "c" in pod "web" is waiting to start: ContainerCreating')),
        ("default/web/c", "previous=1", (400, 'previous terminated container "c" in pod "web" not found')),
        (
            "default/web/c",
            "tailLines=-1",
            (422, "tailLines: Invalid value: -1: must be greater than or equal to 0"),
        ),
        ("default/web", "", (404, "404: Page Not Found")),
    ],
)
async def test_logs_refused(setup: Setup, path: str, query: str, expected: tuple[int, str]) -> None:
    assert await setup.text(f"/containerLogs/{path}", query) == expected


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PodInitializing", "PodInitializing"),
        ("ErrImagePull", "image can't be pulled"),
        ("ImagePullBackOff", "trying and failing to pull image"),
    ],
)
async def test_logs_of_what_waits(setup: Setup, reason: str, words: str) -> None:
    setup.pods = [pod(containerStatuses=[{"name": "c", "state": {"waiting": {"reason": reason}}}])]
    expected = f'container "c" in pod "web" is waiting to start: {words}'
    assert await setup.text("/containerLogs/default/web/c") == (400, expected)


async def test_logs_only_from_the_log_directory(setup: Setup, tmp_path: Path) -> None:
    await setup.run(0, log="2026-01-01T00:00:00Z stdout F secret\n")
    elsewhere = Setup(tmp_path / "logs")
    elsewhere.runtime = setup.runtime
    elsewhere.server = elsewhere.serve()
    assert (await elsewhere.text("/containerLogs/default/web/c"))[0] == 500


async def test_a_link_in_the_log_directory_shows_no_other_file(setup: Setup, tmp_path: Path) -> None:
    """Whoever mounts the directory could put one there; the kubelet reads as root."""
    secret = tmp_path / "secret"
    secret.write_text("2026-01-01T00:00:00Z stdout F secret\n")
    inside = Setup(tmp_path / "logs")
    inside.directory.mkdir()
    await inside.run(0, log="")
    log = inside.directory / "0.log"
    log.unlink()
    log.symlink_to(secret)
    assert (await inside.text("/containerLogs/default/web/c"))[0] == 500


PORT_WRONG = 'unable to parse "99999" as a port: strconv.ParseUint: parsing "99999": value out of range'


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/exec/default/other/c", "command=ls&output=1", (404, "pod does not exist")),
        ("/exec/default/web/c", "command=ls", (400, "you must specify at least 1 of stdin, stdout, stderr")),
        ("/exec/default/web/x", "command=ls&output=1", (500, 'container not found ("x")')),
        ("/attach/default/web/u1/x", "input=1", (500, 'container not found ("x")')),
        ("/exec/default/web/u2/c", "command=ls&output=1", (500, 'container not found ("c")')),
        ("/portForward/default/web/u2", "", (404, "pod not found")),
        ("/portForward/default/other", "", (404, "pod does not exist")),
        ("/portForward/default/web", "ports=99999", (400, PORT_WRONG)),
    ],
)
async def test_streams_refused(setup: Setup, path: str, query: str, expected: tuple[int, str]) -> None:
    await setup.run()
    assert await setup.text(path, query) == expected


async def test_certificates_decide(setup: Setup, tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki", datetime.now(UTC))
    server = pki.leaf("server", Subject(common_name="n", hosts=("127.0.0.1",)))
    clients = (
        (Subject(common_name="kube-apiserver-kubelet-client"), 200),
        (Subject(common_name="a", organizations=("system:masters",)), 200),
        (Subject(common_name="b", organizations=("system:nodes",)), 403),
    )
    config = KubeletServerConfig(
        node_name="n",
        cert_file=server.cert,
        key_file=server.key,
        client_ca_file=pki.authority.cert,
        log_dir=tmp_path,
        host="127.0.0.1",
        port=0,
    )
    reviews = PaperReviews()
    reviews.tokens["known"] = Asker("prometheus")
    reviews.rights.add(("prometheus", "get", "healthz"))
    clock = SystemClock()
    kubelet = KubeletServer(
        setup.runtime,
        lambda: setup.pods,
        config,
        clock,
        about(config, clock, tmp_path, setup.runtime),
        reviews,
    )
    port = await kubelet.start()
    try:
        for subject, status in clients:
            pair = pki.leaf(f"client-{subject.common_name}", subject)
            context = ssl.create_default_context(cafile=str(pki.authority.cert))
            context.load_cert_chain(pair.cert, pair.key)
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"https://127.0.0.1:{port}/healthz", ssl=context) as response,
            ):
                assert response.status == status
        anonymous = ssl.create_default_context(cafile=str(pki.authority.cert))
        for headers, status in (({}, 401), ({"Authorization": "Bearer known"}, 200), (BAD_TOKEN, 401)):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"https://127.0.0.1:{port}/healthz", ssl=anonymous, headers=headers) as response,
            ):
                assert response.status == status
    finally:
        await kubelet.close()
