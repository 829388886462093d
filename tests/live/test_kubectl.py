"""kubectl 1.37 as people use it: looking, reading logs, running commands inside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from pathlib import Path

import pytest

from tests.live.cluster import BUSYBOX, SERVICE_RANGE, Done, LiveCluster, kubectl_program
from tests.live.terminal import on_a_terminal

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "box"},
    "spec": {
        "containers": [
            {
                "name": "box",
                "image": BUSYBOX,
                "command": [
                    "sh",
                    "-c",
                    "trap exit TERM; i=0; while true; do echo line $i; i=$((i+1)); sleep 1; done",
                ],
                "env": [{"name": "COLOR", "value": "blue"}],
            }
        ],
        "terminationGracePeriodSeconds": 2,
    },
}


@pytest.fixture
def box(cluster: LiveCluster, namespace: str) -> str:
    """A pod that prints a line a second."""
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(POD))
    cluster.kubectl("wait", "-n", namespace, "pod/box", "--for=condition=Ready", "--timeout=60s")
    return namespace


def test_get_all_in_all_namespaces(cluster: LiveCluster, box: str) -> None:
    said = cluster.kubectl("get", "all", "-A")
    assert re.search(rf"{box}\s+pod/box\s+1/1\s+Running\s+0", said)
    first = re.escape(f"{SERVICE_RANGE}.0.1")
    assert re.search(rf"default\s+service/kubernetes\s+ClusterIP\s+{first}\s+<none>\s+443/TCP", said)


def test_get_nodes_is_ready_with_real_capacity(cluster: LiveCluster) -> None:
    (node,) = cluster.get("nodes")["items"]
    assert node["metadata"]["name"] == "live"
    assert int(node["status"]["capacity"]["cpu"]) == os.cpu_count()
    assert re.search(r"live\s+Ready\s+<none>\s+\S+\s+v1\.37", cluster.kubectl("get", "nodes"))


def test_describe_tells_the_story_of_the_pod(cluster: LiveCluster, box: str) -> None:
    said = cluster.kubectl("describe", "pod", "box", "-n", box)
    assert re.search(r"Status:\s+Running", said)
    assert f"Successfully assigned {box}/box to live" in said
    assert f'Container image "{BUSYBOX}" already present on machine' in said
    assert "Started" in said
    assert re.search(r"Successfully assigned[\s\S]*already present[\s\S]*Created[\s\S]*Started", said)


def test_logs_once_and_followed(cluster: LiveCluster, box: str) -> None:
    assert cluster.kubectl("logs", "box", "-n", box).startswith("line 0\n")
    tail = cluster.kubectl("logs", "box", "-n", box, "--tail=1", "--timestamps")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z line \d+\n", tail)
    with subprocess.Popen(
        [kubectl_program(), "logs", "-f", "box", "-n", box, "--tail=0"],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        assert follower.stdout is not None
        guard = threading.Timer(30.0, follower.kill)
        guard.start()
        first, second = follower.stdout.readline(), follower.stdout.readline()
        guard.cancel()
        follower.terminate()
    assert int(second.split()[1]) == int(first.split()[1]) + 1


def test_exec_gives_output_and_exit_code(cluster: LiveCluster, box: str) -> None:
    done = cluster.try_kubectl(
        "exec", "-n", box, "box", "--", "sh", "-c", "echo $COLOR; echo bad >&2; exit 7"
    )
    assert (done.code, done.out) == (7, "blue\n")
    assert "bad\n" in done.err


def test_exec_passes_standard_input_and_its_end(cluster: LiveCluster, box: str) -> None:
    text = "".join(f"{n}\n" for n in range(5000))
    done = cluster.try_kubectl("exec", "-i", "-n", box, "box", "--", "cat", stdin=text)
    assert done.code == 0
    assert done.out == text


def test_exec_on_a_terminal(cluster: LiveCluster, box: str) -> None:
    """`exec -it` from a real terminal: echo, the terminal's size, the exit code."""
    command = [kubectl_program(), "exec", "-it", "-n", box, "box", "--", "sh"]
    shown, code = on_a_terminal(command, cluster.environment, "tty && stty size; exit 3\n")
    assert re.search(r"/dev/(pts/\d+|console)", shown), shown
    assert code == 3


def test_copy_into_and_out_of_a_pod(cluster: LiveCluster, box: str, tmp_path: Path) -> None:
    source, back = tmp_path / "there.bin", tmp_path / "back.bin"
    source.write_bytes(os.urandom(300_000))
    cluster.kubectl("cp", "-n", box, str(source), "box:/tmp/there.bin")
    cluster.kubectl("cp", "-n", box, "box:/tmp/there.bin", str(back))
    assert back.read_bytes() == source.read_bytes()


def test_an_old_kubectl_gets_creates_and_deletes(
    cluster: LiveCluster, namespace: str, old_kubectl: str
) -> None:
    def old(*arguments: str, stdin: str = "") -> str:
        done = cluster.try_kubectl(*arguments, stdin=stdin, program=old_kubectl)
        assert done.code == 0, done.err
        return done.out

    manifest = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}, "data": {"a": "b"}}
    )
    assert "configmap/old created" in old("create", "-n", namespace, "-f", "-", stdin=manifest)
    assert "old" in old("get", "configmaps", "-n", namespace)
    assert 'configmap "old" deleted' in old("delete", "configmap", "old", "-n", namespace)


def test_an_old_kubectl_lets_custom_kinds_be_as_open_as_they_are(
    cluster: LiveCluster, namespace: str, old_kubectl: str
) -> None:
    """It checks objects itself, by the document of version 2."""
    anything: dict[str, object] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    size = {"x-kubernetes-int-or-string": True}
    spec = {"type": "object", "properties": {"any": anything, "size": size}}

    def created(kind: str, schema: dict[str, object], **parts: object) -> Done:
        plural = f"{kind.lower()}s"
        names = {"plural": plural, "kind": kind}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.old.example.com"},
            "spec": {
                "group": "old.example.com",
                "scope": "Namespaced",
                "names": names,
                "versions": [version],
            },
        }
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(crd))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}.old.example.com")
        obj = {"apiVersion": "old.example.com/v1", "kind": kind, "metadata": {"name": "a"}, **parts}
        arguments = ("create", "--validate", "-n", namespace, "-f", "-")
        return cluster.try_kubectl(*arguments, stdin=json.dumps(obj), program=old_kubectl)

    half: dict[str, object] = {"type": "object", "properties": {"spec": spec}}
    assert created("Open", anything, spec={"x": 1}, more=[1]).code == 0
    assert created("Half", half, spec={"any": {"x": {"y": 1}}, "size": "10%"}).code == 0
    odd = created("Half", half, spec={"odd": 1})
    assert (odd.code, 'unknown field "odd" in com.example.old.v1.Half.spec' in odd.err) == (1, True)


@pytest.fixture(scope="session")
def old_kubectl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's kubectl 1.20, unpacked and not installed."""
    directory = tmp_path_factory.mktemp("old")
    subprocess.run(["apt-get", "download", "-qq", "kubernetes-client"], cwd=directory, check=True)
    (package,) = directory.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(directory)], check=True)
    return str(directory / "usr" / "bin" / "kubectl")


def test_a_deleted_namespace_takes_everything_along(cluster: LiveCluster) -> None:
    cluster.kubectl("create", "namespace", "gone")
    cluster.kubectl("apply", "-n", "gone", "-f", "-", stdin=json.dumps(POD))
    cluster.kubectl("create", "deployment", "d", "-n", "gone", f"--image={BUSYBOX}", "--", "sleep", "60")
    cluster.kubectl("wait", "-n", "gone", "pod/box", "--for=condition=Ready", "--timeout=60s")
    cluster.kubectl("delete", "namespace", "gone", "--timeout=90s")
    assert cluster.kubectl("get", "pods", "-A", "--field-selector=metadata.namespace=gone") == ""
    missing = cluster.try_kubectl("get", "namespace", "gone")
    assert missing.code == 1
    assert 'Error from server (NotFound): namespaces "gone" not found' in missing.err
