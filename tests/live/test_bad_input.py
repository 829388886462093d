"""Wrong input: one clear line with the remedy, a non-zero exit, nothing half-made."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, WHERRY, LiveCluster
from wherry.cluster.advice import as_root


def pod(**changes: Any) -> str:
    container = {"name": "c", "image": BUSYBOX, **changes.pop("container", {})}
    spec = {"containers": [container], **changes}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bad"}, "spec": spec})


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        pytest.param("a: [", "error parsing STDIN", id="malformed YAML"),
        pytest.param(pod(restartpolicy="Never"), 'unknown field "spec.restartpolicy"', id="unknown field"),
        pytest.param(pod(container={"image": ""}), "spec.containers[0].image: Required value", id="no image"),
        pytest.param(
            pod(restartPolicy="Sometimes"),
            'spec.restartPolicy: Unsupported value: "Sometimes"',
            id="bad enum",
        ),
        pytest.param(pod(hostNetwork="yes"), "cannot unmarshal string into Go struct field", id="bad type"),
    ],
)
def test_manifests(cluster: LiveCluster, namespace: str, manifest: str, complaint: str) -> None:
    done = cluster.try_kubectl("create", "-n", namespace, "-f", "-", stdin=manifest)
    assert done.code == 1
    assert complaint in done.err
    assert cluster.kubectl("get", "pods", "-n", namespace, "-o", "name") == ""


def test_a_bad_image_name_is_told_by_the_pod(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=pod(container={"image": "UPPER/Case"}))
    cluster.kubectl(
        *("wait", "-n", namespace, "pod/bad", "--timeout=60s"),
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=InvalidImageName",
    )


def test_a_name_that_is_taken(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("create", "configmap", "twice", "-n", namespace)
    done = cluster.try_kubectl("create", "configmap", "twice", "-n", namespace)
    assert done.code == 1
    assert done.err.strip() == ('error: failed to create configmap: configmaps "twice" already exists')


def test_a_port_in_use_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = LiveCluster(
            directory=tmp_path, name="other", flags=(f"--api-port={port}", "--kubelet-port=16260")
        )
        done = other.try_wherry("up", *other.flags)
    assert done.code == 78
    assert f"the API server cannot listen on 127.0.0.1:{port}: the port is in use" in done.err
    assert "--api-port" in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("wherry:")]) == 1
    assert not list(tmp_path.rglob("*")), "nothing half-made"


def test_a_missing_containerd_names_the_package(tmp_path: Path) -> None:
    other = LiveCluster(
        directory=tmp_path,
        name="other",
        flags=("--api-port=16543", "--kubelet-port=16550"),
        variables={"PATH": str(tmp_path)},
    )
    done = other.try_wherry("up", "--runtime=containerd", *other.flags)
    assert done.code == 69
    assert "apt-get install -y conntrack containerd containernetworking-plugins" in done.err or (
        "apt-get install -y conntrack containerd" in done.err
    )
    assert not list(tmp_path.rglob("*"))


def test_without_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    # The checkout may lie where only root can read, so nobody keeps the right to read.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reader = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    done = subprocess.run(
        [*nobody, *reader, str(WHERRY), "up", "--name", "other", "--runtime", "containerd"],
        env={**os.environ, "HOME": str(tmp_path), "WHERRY_DATA_ROOT": str(tmp_path / "d")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 77, done.stderr
    assert done.stderr.strip().endswith(f"run it again {as_root()}")


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("status", "--name", "absent"), 3, "there is no cluster 'absent'"),
        (("up", "--name", "Bad_Name"), 78, "--name: 'Bad_Name' is no cluster name"),
        (("up", "--wait", "0"), 2, "use a number of seconds above 0"),
        (("up", "--config", "/does/not/exist"), 78, "no such file; check --config"),
        (("status", "-o", "xml"), 2, "not a format; use text or json"),
        (("image", "load", "/does/not/exist.tar"), 1, "/does/not/exist.tar"),
    ],
)
def test_commands(cluster: LiveCluster, arguments: tuple[str, ...], code: int, complaint: str) -> None:
    done = cluster.try_wherry(*arguments)
    assert complaint in done.err
    assert done.code == code
    assert len(done.err.strip().splitlines()) == 1
