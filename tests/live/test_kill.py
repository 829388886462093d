"""kill -9 of server and agent: pods run on, everything comes back, nothing is restarted needlessly."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, LiveCluster, kill_and_wait

COUNTER = "trap exit TERM; i=0; while true; do echo $i; i=$((i+1)); sleep 0.2; done"


@pytest.fixture
def counting(cluster: LiveCluster, namespace: str) -> str:
    """Two pods that count."""
    cluster.kubectl(
        *("create", "deployment", "count", "-n", namespace, f"--image={BUSYBOX}", "--replicas=2"),
        *("--", "sh", "-c", COUNTER),
    )
    cluster.kubectl("rollout", "status", "deployment/count", "-n", namespace, "--timeout=60s")
    return namespace


def containers(cluster: LiveCluster, namespace: str) -> Any:
    """What identifies every running container, and how often it was restarted."""
    pods = cluster.get("pods", "-n", namespace)["items"]
    return sorted(
        (pod["metadata"]["uid"], status["containerID"], status["restartCount"], pod["status"]["podIP"])
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    )


@pytest.mark.parametrize("component", ["server", "agent"])
def test_pods_do_not_notice(cluster: LiveCluster, counting: str, component: str) -> None:
    before = containers(cluster, counting)
    objects = cluster.kubectl("get", "deployments,replicasets,services", "-A", "-o", "name")
    kill_and_wait(cluster, component)
    assert containers(cluster, counting) == before
    assert cluster.kubectl("get", "deployments,replicasets,services", "-A", "-o", "name") == objects
    # And the successor does its work: a new pod starts, an old one ends.
    cluster.kubectl("scale", "deployment/count", "-n", counting, "--replicas=3")
    cluster.kubectl("rollout", "status", "deployment/count", "-n", counting, "--timeout=60s")
    assert set(before) < set(containers(cluster, counting))


def test_an_acknowledged_write_survives(cluster: LiveCluster, namespace: str) -> None:
    for number in range(5):
        cluster.kubectl("create", "configmap", f"written-{number}", "-n", namespace)
    kill_and_wait(cluster, "server")
    found = cluster.kubectl("get", "configmaps", "-n", namespace, "-o", "name").split()
    assert {f"configmap/written-{number}" for number in range(5)} <= set(found)


def test_stop_and_start_leave_pods_running(cluster: LiveCluster, counting: str) -> None:
    before = containers(cluster, counting)
    cluster.wherry("stop")
    assert cluster.try_wherry("status").code == 3
    cluster.wherry("start")
    assert containers(cluster, counting) == before


def test_everything_killed_at_once_comes_back(cluster: LiveCluster, counting: str) -> None:
    before = containers(cluster, counting)
    for pid in [cluster.pid(component) for component in ("supervisor", "server", "agent")]:
        os.kill(pid, signal.SIGKILL)
    cluster.wherry("start")
    assert containers(cluster, counting) == before
