"""Every component as a process of its own, over a cluster that was stopped."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cluster import NGINX, WHERRY, LiveCluster, until
from tests.timing import PATIENCE_S
from wherry.cluster.components import READY_FD_VARIABLE
from wherry.cluster.config import Setup, read_config_file
from wherry.cluster.identities import KUBELET_SERVER, find_identities
from wherry.cluster.node import Node


class Alone:
    """The components of a stopped cluster, each started alone by its command."""

    def __init__(self, cluster: LiveCluster, logs: Path) -> None:
        self._cluster = cluster
        self._logs = logs
        self._running: list[subprocess.Popen[bytes]] = []
        self.setup = read_config_file(cluster.paths.config, Setup.of())
        self.node = Node.of(cluster.name, self.setup.node.name, cluster.paths)

    def start(self, name: str, *flags: str) -> None:
        """Start one, and return when it is ready."""
        reader, writer = os.pipe()
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(WHERRY), name, *flags],
                env={**self._cluster.environment, READY_FD_VARIABLE: str(writer)},
                pass_fds=(writer,),
                stderr=output,
            )
        self._running.append(process)
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            assert ready.read(1) == b"\n", log.read_text()

    def kubeconfig(self, name: str) -> str:
        """The flag that says who a component is."""
        return f"--kubeconfig={self._cluster.paths.kubeconfig(name)}"

    def end(self) -> list[int]:
        """End all, the last first; their exit codes."""
        codes = []
        for process in reversed(self._running):
            process.terminate()
            codes.append(process.wait(PATIENCE_S))
        self._running.clear()
        return codes


@pytest.fixture
def alone(cluster: LiveCluster, tmp_path: Path) -> Iterator[Alone]:
    """The session's cluster, stopped for a while."""
    cluster.wherry("stop")
    made = Alone(cluster, tmp_path)
    try:
        yield made
    finally:
        made.end()
        cluster.up()


def start_all(alone: Alone, cluster: LiveCluster) -> None:
    setup, node, paths = alone.setup, alone.node, cluster.paths
    alone.start("apiserver", f"--data-dir={paths.data}")
    alone.start("controllers", alone.kubeconfig("controllers"), "--secure-port=0")
    alone.start("scheduler", alone.kubeconfig("scheduler"), "--secure-port=0")
    serving = find_identities(setup, paths).of(KUBELET_SERVER)
    alone.start(
        "kubelet",
        alone.kubeconfig("kubelet"),
        "--healthz-port=0",
        f"--hostname-override={setup.node.name}",
        f"--node-ip={setup.cluster.server_address}",
        f"--port={setup.node.kubelet_port}",
        f"--root-dir={node.paths.kubelet}",
        f"--pod-logs-dir={node.paths.pod_logs}",
        f"--pods-cgroup={node.names.cgroup_root}",
        f"--container-runtime-endpoint=unix://{node.containerd.socket}",
        f"--client-ca-file={paths.pki / 'ca.crt'}",
        f"--tls-cert-file={serving.cert}",
        f"--tls-private-key-file={serving.key}",
    )
    alone.start(
        "proxy",
        alone.kubeconfig("proxy"),
        "--healthz-bind-address=127.0.0.1:0",
        f"--hostname-override={setup.node.name}",
        f"--cluster-cidr={setup.cluster.pod_cidr}",
        f"--cluster-name={cluster.name}",
        f"--service-cluster-ip-range={setup.cluster.service_cidr}",
    )


def test_five_processes_are_a_cluster(cluster: LiveCluster, alone: Alone) -> None:
    start_all(alone, cluster)
    cluster.kubectl("create", "deployment", "alone", f"--image={NGINX}", "--replicas=2")
    try:
        cluster.kubectl("rollout", "status", "deployment/alone", "--timeout=90s")
        cluster.kubectl("expose", "deployment", "alone", "--port=80")
        address = json.loads(cluster.kubectl("get", "service", "alone", "-o", "json"))["spec"]["clusterIP"]

        def answers() -> bool:
            command = ["curl", "-sf", "--max-time", "5", f"http://{address}/"]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        until(answers)
        pod = cluster.kubectl("get", "pods", "-l", "app=alone", "-o", "name").split()[0]
        assert cluster.kubectl("exec", pod, "--", "hostname").strip() == pod.removeprefix("pod/")
        users = cluster.kubectl("auth", "whoami", "--kubeconfig", str(cluster.paths.kubeconfig("proxy")))
        assert "system:kube-proxy" in users
    finally:
        cluster.kubectl("delete", "deployment,service", "alone", "--wait=true", "--ignore-not-found")
        until(lambda: not cluster.get("pods", "-l", "app=alone")["items"], 60)
    assert alone.end() == [0] * 5
