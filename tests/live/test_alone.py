"""Every component as a process of its own, over a cluster that was stopped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.alone import Alone, stopped
from tests.live.cluster import NGINX, LiveCluster, until


@pytest.fixture
def alone(cluster: LiveCluster, tmp_path: Path) -> Iterator[Alone]:
    """The session's cluster, stopped for a while."""
    with stopped(cluster, tmp_path) as made:
        yield made


def start_all(alone: Alone, cluster: LiveCluster) -> None:
    setup, paths = alone.setup, cluster.paths
    alone.start("apiserver", f"--data-dir={paths.data}")
    alone.start("controllers", alone.kubeconfig("controllers"), "--secure-port=0")
    alone.start("scheduler", alone.kubeconfig("scheduler"), "--secure-port=0")
    alone.start("kubelet", alone.kubeconfig("kubelet"), *alone.kubelet_flags())
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
