"""`wherry test-server`: one process, which says where its kubeconfig is and ends with its parent."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.timing import PATIENCE_S
from wherry.kit.processes import ProcessRecord
from wherry.testing.kubeconfig_file import MARK
from wherry.testing.moment import Moment
from wherry.testing.server import serve
from wherry.testing.world import World

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "wherry.cli.main", "test-server"]


def test_it_serves_until_it_is_ended(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    command = [*COMMAND, "-o", "json", "--kubeconfig", str(config), "--controllers", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["kubeconfig"] == str(config)
        assert config.stat().st_mode & 0o777 == 0o600
        assert yaml.safe_load(config.read_text())["clusters"][0]["cluster"]["server"] == said["server"]
        process.terminate()
        assert process.wait(60) == 0
    assert not config.exists()


def test_what_it_applies_may_take_its_time(tmp_path: Path) -> None:
    """A pod waits for its service account, which nobody makes: upstream's answer comes after a while."""
    manifest = tmp_path / "pod.yaml"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    manifest.write_text(yaml.safe_dump({**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}}))
    command = [*COMMAND, "--controllers", "none", "--apply", str(manifest)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "service account default/default" in ran.stderr


def test_it_can_be_ended_while_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(world: World, moment: Moment | None = None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(World, "open", endless)
    asyncio.run(asyncio.wait_for(serve({}, None, as_json=True), PATIENCE_S))


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run({COMMAND!r} + ['-o', 'json'])"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    said = json.loads(parent.stdout.readline())
    descriptor = os.pidfd_open(said["pid"])
    try:
        parent.kill()
        parent.wait()
        import select

        assert select.select([descriptor], [], [], 20)[0], "it lives on"
    finally:
        os.close(descriptor)
        parent.stdout.close()
    assert ProcessRecord.of(said["pid"]) is None
    assert not Path(said["kubeconfig"]).exists()


def test_the_next_one_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    command = [*COMMAND, "--controllers", "none"]
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    left: list[Path] = []
    for ended_by in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
            assert process.stdout is not None
            config = Path(process.stdout.readline().strip())
            assert [path for path in left if path.exists()] == []
            process.send_signal(ended_by)
            process.wait(60)
        left = list(tmp_path.iterdir())
        assert config.exists() is (ended_by == signal.SIGKILL)
    assert left == []


def test_nobody_elses_file_is_replaced_or_removed(tmp_path: Path) -> None:
    own = tmp_path / "config"
    own.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(own)
    for path in (own, link):
        ran = subprocess.run(
            [*COMMAND, "--kubeconfig", str(path)], capture_output=True, text=True, check=False, timeout=60
        )
        told = f"{path} is there already; name another file with --kubeconfig"
        assert (ran.returncode, told in ran.stderr) == (2, True)
    assert own.read_text() == "mine"


def test_a_port_in_use_takes_no_file_along(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_bytes(MARK)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = subprocess.run(
            [*COMMAND, "--port", port, "--kubeconfig", str(config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert ran.returncode == 1
    assert ran.stderr == (
        f"wherry: cannot serve on port {port}: Address already in use; choose with --port\n"
    )
    assert config.read_bytes() == MARK


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--controllers", "nobody"], "'nobody' is not a known controller"),
        (["--apply", "/no/such/file.yaml"], "/no/such/file.yaml: No such file or directory"),
        (["--nodes", "-1"], "nodes: -1 is negative"),
        (["--kubeconfig", "/no/such/place/kc"], "/no/such/place is no directory; make it first"),
        (["-o", "xml"], "no output 'xml'; use text or json"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str], message: str) -> None:
    ran = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_manifests_the_server_refuses_are_told_in_one_line(tmp_path: Path) -> None:
    manifest = tmp_path / "wrong.yaml"
    manifest.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: UPPER}}")
    command = [*COMMAND, "--apply", str(manifest)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 2
    assert 'ConfigMap "UPPER" is invalid: metadata.name' in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_it_can_be_ended_while_a_manifest_says_nothing(tmp_path: Path) -> None:
    """A pipe is read (`--apply <(helm template ...)`), but who writes nothing into it holds nobody up."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serve({"objects": [pipe]}, None, as_json=True), PATIENCE_S)

    asyncio.run(run())


def test_a_manifest_may_come_through_a_pipe(tmp_path: Path) -> None:
    manifest = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "no name"}}'
    command = f"exec {shlex.join(COMMAND)} --controllers none --apply <(sleep 0.2; echo '{manifest}')"
    ran = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert ran.returncode == 2
    assert '--apply: ConfigMap "no name" is invalid: metadata.name' in ran.stderr


def test_it_ends_whatever_holds_the_cluster_up(tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    code = """
import asyncio, os, signal, sys, threading
from pathlib import Path
from wherry.testing import server
from wherry.testing.cluster import Hosted

server.GRACE_S = 0.1
def stuck(self):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()
Hosted.open = stuck
asyncio.run(server.serve({}, Path(sys.argv[1]), as_json=True))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (ran.returncode, ran.stderr) == (
        1,
        "the cluster did not end in 0.1 s: the process ends without it\n",
    )
    assert not config.exists()
