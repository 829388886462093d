"""The kubelet's server on real containers: figures, who may see them, ways into containers under load."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.cluster import BUSYBOX, NGINX, LiveCluster, kubectl_program
from tests.live.terminal import on_a_terminal
from tests.timing import PATIENCE_S
from wherry.images.pause import PAUSE_IMAGE

MB = 1 << 20
ECHO, RESET = 7000, 7001
SERVING = f"nc -ll -p {RESET} -e true & exec nc -ll -p {ECHO} -e cat"
MANIFEST = f"""
apiVersion: v1
kind: Pod
metadata: {{name: box}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {{name: app, image: {BUSYBOX}, command: [sh, -c, "{SERVING}"]}}
    - {{name: bare, image: {PAUSE_IMAGE}}}
    - {{name: web, image: {NGINX}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: echo}}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
    - {{name: c, image: {BUSYBOX}, stdin: true, tty: true, command: [sh, -c, "read x; echo got $x"]}}
"""
ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: scraper}
rules: [{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: scraper}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: scraper}
subjects: [{kind: ServiceAccount, name: scraper, namespace: server}]
"""


@pytest.fixture(scope="module")
def box(cluster: LiveCluster) -> Iterator[str]:
    """The namespace of a pod `box` that serves, echoes and has a container with nothing in it."""
    name = "server"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("apply", "-n", name, "-f", "-", stdin=MANIFEST)
    cluster.kubectl("wait", "pod/box", "pod/echo", "-n", name, "--for=condition=Ready", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--timeout=90s")
    cluster.kubectl("delete", "clusterrole,clusterrolebinding", "scraper", "--ignore-not-found")


def test_figures_through_the_api_server(cluster: LiveCluster, box: str) -> None:
    page = cluster.kubectl("get", "--raw", "/api/v1/nodes/live/proxy/metrics/cadvisor")
    found = {
        (sample.name, sample.labels.get("container"), sample.labels.get("pod")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    working = {
        key[1:]: value for key, value in found.items() if key[0] == "container_memory_working_set_bytes"
    }
    assert working["app", "box"] > 0, working
    assert ("container_network_receive_bytes_total", "", "box") in found
    for path in ("metrics", "metrics/resource", "metrics/probes", "metrics/slis"):
        told = cluster.kubectl("get", "--raw", f"/api/v1/nodes/live/proxy/{path}")
        assert list(text_string_to_metric_families(told)), path
    summary = json.loads(cluster.kubectl("get", "--raw", "/api/v1/nodes/live/proxy/stats/summary"))
    pod = next(p for p in summary["pods"] if p["podRef"]["name"] == "box")
    assert {c["name"] for c in pod["containers"]} == {"app", "bare", "web"}
    assert json.loads(cluster.kubectl("get", "--raw", "/api/v1/nodes/live/proxy/configz"))["kubeletconfig"]
    assert cluster.kubectl("get", "--raw", "/api/v1/nodes/live/proxy/healthz") == "ok"


def test_a_token_shows_what_the_api_server_allows(cluster: LiveCluster, box: str) -> None:
    port = next(flag.partition("=")[2] for flag in cluster.flags if flag.startswith("--kubelet-port="))
    cluster.kubectl("create", "serviceaccount", "scraper", "-n", box)
    cluster.kubectl("apply", "-f", "-", stdin=ROLE)
    token = cluster.kubectl("create", "token", "scraper", "-n", box).strip()

    def status(path: str, *headers: str) -> str:
        ca = str(cluster.paths.pki / "ca.crt")
        command = ["curl", "--silent", "--cacert", ca, "--connect-to", f"live:{port}:127.0.0.1:{port}"]
        command += [part for header in headers for part in ("-H", header)]
        command += ["-o", os.devnull, "-w", "%{http_code}", f"https://live:{port}{path}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    bearer = f"Authorization: Bearer {token}"
    assert status("/metrics") == "401"
    assert status("/metrics", "Authorization: Bearer nonsense") == "401"
    assert status("/metrics/cadvisor", bearer) == "200"
    assert status("/pods", bearer) == "403"
    assert status(f"/exec/{box}/box/app?command=id&output=1", bearer) == "403"


def test_nothing_listens_on_10255(cluster: LiveCluster, box: str) -> None:
    with socket.socket() as tried, pytest.raises(ConnectionRefusedError):
        tried.connect(("127.0.0.1", 10255))


def sum_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def forwarded(cluster: LiveCluster, namespace: str, port: int) -> Iterator[int]:
    """A local port that leads to one of the pod `box`."""
    command = [kubectl_program(), "port-forward", "-n", namespace, "pod/box", f":{port}"]
    with subprocess.Popen(
        command, env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as forwarder:
        guard = threading.Timer(PATIENCE_S, forwarder.kill)
        guard.start()
        try:
            assert forwarder.stdout is not None
            said = forwarder.stdout.readline()
            local = re.search(r"127\.0\.0\.1:(\d+)", said)
            assert local, said
            yield int(local[1])
        finally:
            guard.cancel()
            forwarder.terminate()


def exchange(port: int, data: bytes) -> bytes:
    """What comes back of `data` when this side has ended (half-closed)."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:

        def send() -> None:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got = bytearray()
        while piece := connection.recv(MB):
            got += piece
        sender.join()
    return bytes(got)


def test_ten_megabytes_both_ways_and_its_end(cluster: LiveCluster, box: str) -> None:
    data = os.urandom(10 * MB)
    with forwarded(cluster, box, ECHO) as port:
        assert sum_of(exchange(port, data)) == sum_of(data)


def test_many_at_once(cluster: LiveCluster, box: str, tmp_path: Path) -> None:
    """Twenty downloads through one forwarded port."""
    data = os.urandom(MB)
    (tmp_path / "a.bin").write_bytes(data)
    cluster.wherry("cp", str(tmp_path / "a.bin"), f"{box}/box:/var/www/html/a.bin", "-c", "web")

    def download(port: int) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/a.bin", timeout=PATIENCE_S) as answer:
            return bytes(answer.read())

    with forwarded(cluster, box, 80) as port, ThreadPoolExecutor(20) as threads:
        back = list(threads.map(download, [port] * 20))
    assert {sum_of(one) for one in back} == {sum_of(data)}


def test_an_application_that_hangs_up_ends_one_connection(cluster: LiveCluster, box: str) -> None:
    """kubectl itself gives up then (`lost connection to pod`), as it does with upstream's kubelet."""
    with (
        forwarded(cluster, box, RESET) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection,
        suppress(ConnectionResetError, BrokenPipeError),
    ):
        connection.sendall(b"x" * 100_000)
        assert connection.recv(10) == b""
    with forwarded(cluster, box, ECHO) as port:
        assert exchange(port, b"still here") == b"still here"


def test_attach_on_a_terminal(cluster: LiveCluster, box: str) -> None:
    command = [kubectl_program(), "attach", "-it", "-n", box, "echo"]
    shown, _ = on_a_terminal(command, cluster.environment, "hello\n")
    assert "got hello" in shown


def test_exec_as_another_user(cluster: LiveCluster, box: str) -> None:
    at = ("-n", box, "-c", "app", "box")
    done = cluster.try_wherry("exec", "--user", "1234:5678", *at, "--", "sh", "-c", "id -u; id -g; exit 7")
    assert (done.code, done.out.split()) == (7, ["1234", "5678"]), done.err
    done = cluster.try_wherry("exec", "--user", "1234", *at, "--", "id", "-u")
    assert (done.code, done.out) == (0, "1234\n"), done.err
    command = [str(cluster.program), "exec", "-it", "--user", "0:0", *at, "--", "sh"]
    shown, code = on_a_terminal(command, cluster.environment, "tty; id -u; exit 3\n")
    assert re.search(r"/dev/(pts/\d+|console)", shown), shown
    assert code == 3
    done = cluster.try_wherry("exec", "--user", "0", "none", "-n", box, "--", "id")
    assert done.code == 1
    assert 'pods "none" not found' in done.err
    done = cluster.try_wherry("exec", "--user", "bob", *at, "--", "id")
    assert (done.code, "no user 'bob' in the container's /etc/passwd" in done.err) == (1, True)
    done = cluster.try_wherry("exec", "-it", "--user", "0", *at, "--", "no-such-program")
    assert done.code != 0
    assert "not a terminal" in done.err
    assert "no-such-program" in done.err.splitlines()[-1]


def test_who_was_in_a_container_leaves_its_files_writable(
    cluster: LiveCluster, box: str, tmp_path: Path
) -> None:
    """Directories that are still as the image has them, too."""
    at = ("-n", box, "-c", "app", "box")
    cluster.wherry("exec", "--user", "0", *at, "--", "id")
    cluster.kubectl("exec", *at, "--", "touch", "/bin/made")
    (tmp_path / "f.txt").write_text("f")
    assert cluster.wherry("cp", str(tmp_path / "f.txt"), f"{box}/box:/bin/", "-c", "app") == "copied 1 file\n"
    assert cluster.kubectl("exec", *at, "--", "cat", "/bin/f.txt") == "f"


def test_copying_needs_nothing_in_the_image(cluster: LiveCluster, box: str, tmp_path: Path) -> None:
    source, back = tmp_path / "a.bin", tmp_path / "b.bin"
    source.write_bytes(os.urandom(MB))
    assert cluster.wherry("cp", str(source), f"{box}/box:/a.bin", "-c", "bare") == "copied 1 file\n"
    assert cluster.wherry("cp", f"{box}/box:/a.bin", str(back), "-c", "bare") == "copied 1 file\n"
    assert back.read_bytes() == source.read_bytes()
    done = cluster.try_wherry("cp", f"{box}/box:/none", str(back), "-c", "bare")
    assert (done.code, "No such file or directory" in done.err) == (1, True)


def test_why(cluster: LiveCluster, box: str) -> None:
    said = cluster.wherry("why", "pod", "box", "-n", box)
    assert said == f"{box}/box runs and is ready on live\n"
    container = {"name": "c", "image": BUSYBOX, "command": ["no-such-program"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "broken"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    cluster.kubectl("apply", "-n", box, "-f", "-", stdin=json.dumps(pod))
    path = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    cluster.kubectl("wait", "pod/broken", "-n", box, f"--for={path}", "--timeout=60s")
    told = json.loads(cluster.wherry("why", "pod", "broken", "-n", box, "-o", "json"))
    assert told["summary"].startswith(f"{box}/broken ")
    assert any("no-such-program" in reason["why"] for reason in told["reasons"]), told
