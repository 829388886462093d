"""Pages beside figures: health, what is configured, what is switched off, methods that do not fit."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.kubelet.server.test_server import Setup
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.streams import ExecResult
from wherry.kubelet.server.profiling import _stacks

SECRET = {
    "manifest-url": "https://ci:s3cret@cfg/pods",
    "manifest-url-header": "Authorization:Bearer s3cret",
}


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


async def test_health(setup: Setup) -> None:
    assert await setup.text("/healthz") == (200, "ok")
    assert await setup.text("/healthz/ping") == (200, "ok")
    assert await setup.text("/healthz", "verbose") == (
        200,
        "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n",
    )
    setup.sync_error = "PLEG is not healthy"
    assert await setup.text("/healthz") == (
        500,
        "[+]ping ok\n[+]log ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n",
    )
    assert await setup.text("/healthz/syncloop") == (500, "internal server error: PLEG is not healthy\n")
    assert await setup.text("/healthz", "exclude=syncloop") == (200, "ok")
    assert (await setup.text("/healthz/none"))[0] == 404


async def test_configz(setup: Setup) -> None:
    status, page = await setup.text("/configz")
    told = json.loads(page)["kubeletconfig"]
    assert status == 200
    assert (told["maxPods"], told["readOnlyPort"], told["clusterDomain"]) == (110, 0, "cluster.local")
    assert told["authentication"]["webhook"] == {"enabled": True, "cacheTTL": "2m0s"}
    assert told["evictionHard"]["memory.available"] == "100Mi"
    assert json.loads(page)["kubeletconfig"]["userNamespaces"] == {"idsPerPod": 65536}


async def test_configz_shows_no_credentials(setup: Setup) -> None:
    said = replace(
        setup.about.config,
        static_pod_url=SECRET["manifest-url"],
        static_pod_url_header={"Authorization": ["Bearer s3cret"]},
    )
    setup.about = replace(setup.about, config=said)
    setup.server = setup.serve()
    told = json.loads((await setup.text("/configz"))[1])["kubeletconfig"]
    assert told["staticPodURL"] == "https://cfg/pods"
    assert told["staticPodURLHeader"] == {"Authorization": ["<masked>"]}


async def test_statusz_and_flagz(tmp_path: Path) -> None:
    setup = Setup(tmp_path, flags={"port": "10250", "address": "0.0.0.0"})
    await setup.clock.advance(3725)
    status, page = await setup.text("/statusz")
    assert status == 200
    assert page.startswith("\nkubelet statusz\nWarning: This endpoint is not meant to be machine parseable")
    assert "Up: 1 hr 02 min 05 sec\n" in page
    assert "/metrics" in page
    assert (await setup.text("/flagz"))[1].endswith("address=0.0.0.0\nport=10250\n")
    assert (await Setup(tmp_path, flags=SECRET).text("/flagz"))[1].endswith(
        "manifest-url=https://cfg/pods\nmanifest-url-header=Authorization:<masked>\n"
    )
    for path, kind in (("/flagz", "Flagz"), ("/statusz", "Statusz")):
        accept = {"accept": f"application/json;v=v1beta1;g=config.k8s.io;as={kind}"}
        told = json.loads((await setup.ask(path, headers=accept)).body)
        assert (told["kind"], told["apiVersion"]) == (kind, "config.k8s.io/v1beta1")
        assert (await setup.ask(path, headers={"accept": "application/json"})).status == 406
        assert (await setup.ask(path, headers={"accept": "*/*"})).status == 200


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/pods", "POST", "GET"),
        ("/runningpods/", "PUT", "GET"),
        ("/stats/summary", "POST", "GET"),
        ("/containerLogs/default/web/c", "DELETE", "GET"),
        ("/exec/default/web/c", "PUT", "GET, POST"),
        ("/run/default/web/c", "GET", "POST"),
        ("/pods", "HEAD", "GET"),
    ],
)
async def test_methods(setup: Setup, path: str, method: str, allowed: str) -> None:
    answer = await setup.ask(path, method=method)
    assert (answer.status, answer.body, answer.headers) == (
        405,
        b"405: Method Not Allowed",
        (("Allow", allowed),),
    )


async def test_what_is_off(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    assert await setup.text("/logs/") == (405, "logs endpoint is disabled.\n")
    assert (await setup.ask("/checkpoint/default/web/c", method="POST")).status == 404
    setup = Setup(tmp_path, is_profiling=False)
    assert await setup.text("/debug/pprof/") == (405, "profiling endpoint is disabled.\n")
    setup = Setup(tmp_path, is_debugging=False, shows_system_logs=True)
    for page in (
        "run",
        "exec",
        "attach",
        "portForward",
        "containerLogs",
        "runningpods",
        "debug/pprof",
        "logs",
    ):
        answer = await setup.ask(f"/{page}/default/web/c", method="POST")
        assert (answer.status, answer.body) == (405, b"Debug endpoints are disabled.\n")
    assert (await setup.text("/configz"))[0] == 404
    assert (await setup.text("/pods"))[0] == 200


async def test_checkpoints_where_they_are_allowed(tmp_path: Path) -> None:
    setup = Setup(tmp_path, checkpoint_dir=tmp_path / "checkpoints")
    path = "/checkpoint/default/web/c"
    assert (await setup.ask("/checkpoint/default/other/c", method="POST")).body == b"pod does not exist"
    assert (await setup.ask("/checkpoint/default/web/x", method="POST")).body == b"container x does not exist"
    run = await setup.run()
    answer = await setup.ask(path, method="POST")
    assert answer.body == b"checkpointing of default/web/c failed (the runtime writes no checkpoints)"
    written: list[tuple[str, int]] = []

    async def checkpoint(container_id: str, location: str, timeout_s: int) -> None:
        if timeout_s == 1:
            raise RuntimeFailure("rpc error: code = Unimplemented")
        assert container_id == run.id
        written.append((location, timeout_s))

    setup.runtime.checkpoint = checkpoint  # type: ignore[attr-defined]
    answer = await setup.ask(path, query="timeout=5", method="POST")
    assert json.loads(answer.body)["items"] == [written[0][0]]
    assert Path(written[0][0]).parent == tmp_path / "checkpoints"
    answer = await setup.ask(path, query="timeout=1", method="POST")
    assert (answer.status, b"Unimplemented" in answer.body) == (500, True)
    assert (await setup.ask(path, query="timeout=x", method="POST")).status == 404


async def test_run(setup: Setup) -> None:
    await setup.run()
    setup.runtime.exec_results[("echo", "a")] = ExecResult(0, b"a\n", b"")
    setup.runtime.exec_results[("false",)] = ExecResult(1, b"", b"no")
    assert (await setup.ask("/run/default/web/c", "cmd=echo%20a", method="POST")).body == b"a\n"
    answer = await setup.ask("/run/default/web/c", "cmd=false", method="POST")
    assert (answer.status, answer.body) == (500, b"command 'false' exited with 1: no")


async def test_profiles(setup: Setup) -> None:
    assert "goroutine" in (await setup.text("/debug/pprof/"))[1]
    assert (await setup.text("/debug/pprof/cmdline"))[1] == "\x00".join(sys.orig_argv)
    assert "test_profiles" in (await setup.text("/debug/pprof/goroutine"))[1]
    status, folded = await setup.text("/debug/pprof/profile", "seconds=1")
    assert status == 200
    stack, _, count = folded.splitlines()[0].rpartition(" ")
    assert ";" in stack
    assert int(count) > 0
    assert (await setup.text("/debug/pprof/profile", "seconds=0"))[0] == 400
    assert (await setup.text("/debug/pprof/nothing"))[0] == 404


async def test_the_stacks_of_tasks_without_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of compiled coroutines are."""

    async def somewhere() -> None: ...

    frame = SimpleNamespace(f_code=somewhere.__code__, f_lineno=None)
    task = SimpleNamespace(get_name=lambda: "compiled", get_stack=lambda: [frame])
    monkeypatch.setattr(asyncio, "all_tasks", lambda: [task])
    assert f"line {somewhere.__code__.co_firstlineno}, in {somewhere.__qualname__}" in await _stacks()
