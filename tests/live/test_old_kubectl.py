"""kubectl 1.20, which only speaks SPDY/3.1: exec, terminals, copying, attaching, forwarding, following."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cluster import BUSYBOX, Done, LiveCluster
from tests.live.terminal import on_a_terminal
from tests.live.test_kubectl import old_kubectl as old_kubectl
from tests.timing import PATIENCE_S

COUNTER = "trap exit TERM; i=0; while true; do echo line $i; i=$((i+1)); sleep 1; done"
SERVER = "mkdir -p /www && echo hello from the pod > /www/index.html && exec busybox httpd -f -p 8080 -h /www"


def container(name: str, command: str, **more: object) -> dict[str, object]:
    return {"name": name, "image": BUSYBOX, "command": ["sh", "-c", command], **more}


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "box", "labels": {"app": "box"}},
    "spec": {
        "containers": [
            container("count", COUNTER),
            container("echo", "while read line; do echo got $line; done; sleep 600", stdin=True),
            container("web", SERVER, ports=[{"containerPort": 8080, "name": "web"}]),
        ],
        "terminationGracePeriodSeconds": 1,
    },
}


@pytest.fixture(scope="module")
def box(cluster: LiveCluster) -> Iterator[str]:
    """The namespace of a pod that counts, echoes and serves."""
    cluster.kubectl("create", "namespace", "old")
    cluster.kubectl("apply", "-n", "old", "-f", "-", stdin=json.dumps(POD))
    cluster.kubectl("wait", "-n", "old", "pod/box", "--for=condition=Ready", "--timeout=60s")
    yield "old"
    cluster.kubectl("delete", "namespace", "old", "--timeout=90s")


@pytest.fixture
def old(cluster: LiveCluster, box: str, old_kubectl: str) -> OldKubectl:
    """The old program, pointed at the cluster and the namespace."""
    return OldKubectl(cluster, box, old_kubectl)


class OldKubectl:
    """Runs the old program."""

    def __init__(self, cluster: LiveCluster, namespace: str, program: str) -> None:
        self.cluster = cluster
        self.arguments = [program, "-n", namespace]

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Run to the end."""
        program, *rest = self.arguments
        return self.cluster.try_kubectl(*rest, *arguments, stdin=stdin, program=program)

    def start(self, *arguments: str, stdin: int | None = None) -> subprocess.Popen[str]:
        """Start, with what it prints to be read."""
        return subprocess.Popen(
            [*self.arguments, *arguments],
            env=self.cluster.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def test_exec(old: OldKubectl) -> None:
    done = old.run("exec", "box", "-c", "count", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out) == (7, "out\n")
    assert "err\n" in done.err


def test_exec_with_input(old: OldKubectl) -> None:
    text = "".join(f"{n}\n" for n in range(20000))
    done = old.run("exec", "-i", "box", "-c", "count", "--", "cat", stdin=text)
    assert (done.code, done.out) == (0, text), done.err


def test_exec_on_a_terminal(old: OldKubectl) -> None:
    command = [*old.arguments, "exec", "-it", "box", "-c", "count", "--", "sh"]
    shown, code = on_a_terminal(command, old.cluster.environment, "tty && stty size; exit 3\n")
    assert re.search(r"/dev/(pts/\d+|console)", shown), shown
    assert code == 3


def test_copies(old: OldKubectl, tmp_path: Path) -> None:
    source, back = tmp_path / "there.bin", tmp_path / "back.bin"
    source.write_bytes(os.urandom(1_000_000))
    done = old.run("cp", str(source), "box:/tmp/there.bin", "-c", "count")
    assert done.code == 0, done.err
    done = old.run("cp", "box:/tmp/there.bin", str(back), "-c", "count")
    assert done.code == 0, done.err
    assert back.read_bytes() == source.read_bytes()


def test_attach_reads_and_writes(old: OldKubectl) -> None:
    with old.start("attach", "-i", "box", "-c", "echo", stdin=subprocess.PIPE) as attached:
        guard = threading.Timer(30.0, attached.kill)
        guard.start()
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write("one\n")
        attached.stdin.flush()
        lines = [attached.stdout.readline()]
        while "got one" not in lines[-1] and lines[-1]:
            lines.append(attached.stdout.readline())
        guard.cancel()
        attached.terminate()
    assert lines[-1] == "got one\n", lines


def test_logs_are_followed(old: OldKubectl) -> None:
    with old.start("logs", "-f", "--tail=1", "box", "-c", "count") as follower:
        guard = threading.Timer(30.0, follower.kill)
        guard.start()
        assert follower.stdout is not None
        numbers = [int(follower.stdout.readline().split()[1]) for _ in range(3)]
        guard.cancel()
        follower.terminate()
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_ports_are_forwarded(old: OldKubectl) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with old.start("port-forward", "pod/box", f"{port}:8080") as forwarder:
        guard = threading.Timer(30.0, forwarder.kill)
        guard.start()
        assert forwarder.stdout is not None
        assert f"Forwarding from 127.0.0.1:{port}" in forwarder.stdout.readline()
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=PATIENCE_S) as answer:
                assert answer.read() == b"hello from the pod\n"
        guard.cancel()
        forwarder.terminate()


def test_raw_paths_and_pod_proxies(old: OldKubectl) -> None:
    done = old.run("get", "--raw", "/api/v1/namespaces/old/pods/box:8080/proxy/index.html")
    assert (done.code, done.out) == (0, "hello from the pod\n"), done.err
    assert old.run("get", "--raw", "/livez").out == "ok"
