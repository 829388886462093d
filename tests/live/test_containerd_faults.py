"""containerd stopped, killed twice, or left without a pid file: the node says so, and goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, LiveCluster, kill_and_wait, until
from wherry.kit.processes import ProcessRecord, running
from wherry.objects.conditions import find_condition


def containerds(cluster: LiveCluster) -> list[ProcessRecord]:
    """The cluster's containerds; there must never be two."""
    state = str(cluster.node_paths.containerd_run)
    return [
        process
        for process, _, words in running()
        if words and words[0].endswith("/containerd") and words[-1].startswith(state)
    ]


def the_containerd(cluster: LiveCluster) -> ProcessRecord:
    (process,) = containerds(cluster)
    return process


def readiness(cluster: LiveCluster) -> Any:
    (node,) = cluster.get("nodes")["items"]
    return find_condition(node["status"]["conditions"], "Ready")


def run_to_the_end(cluster: LiveCluster, namespace: str, name: str) -> None:
    cluster.kubectl(
        *("run", name, "-n", namespace, f"--image={BUSYBOX}", "--restart=Never", "--", "true"),
    )
    cluster.kubectl(
        *("wait", f"pod/{name}", "-n", namespace, "--timeout=60s"),
        "--for=jsonpath={.status.phase}=Succeeded",
    )


@pytest.fixture
def stopped(cluster: LiveCluster, namespace: str) -> Iterator[ProcessRecord]:
    """A containerd that has been stopped, and goes on at the end at the latest."""
    process = the_containerd(cluster)
    process.send(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send(signal.SIGCONT)


def test_a_stopped_containerd_makes_the_node_not_ready(
    cluster: LiveCluster, namespace: str, stopped: ProcessRecord
) -> None:
    until(lambda: readiness(cluster)["status"] == "False", 90.0)
    assert readiness(cluster)["message"] == "container runtime is down"
    lease = cluster.get("lease", "live", "-n", "kube-node-lease")["spec"]["renewTime"]
    until(lambda: cluster.get("lease", "live", "-n", "kube-node-lease")["spec"]["renewTime"] > lease)
    stopped.send(signal.SIGCONT)
    until(lambda: readiness(cluster)["status"] == "True")
    run_to_the_end(cluster, namespace, "after")


def test_a_containerd_killed_twice_comes_back_twice(cluster: LiveCluster, namespace: str) -> None:
    for turn in range(2):
        process = the_containerd(cluster)
        process.send(signal.SIGKILL)
        until(lambda killed=process: containerds(cluster) not in ([], [killed]))  # type: ignore[misc]
        run_to_the_end(cluster, namespace, f"after-{turn}")
    assert readiness(cluster)["status"] == "True"


def test_an_agent_killed_before_it_wrote_the_pid_file(cluster: LiveCluster, namespace: str) -> None:
    before = the_containerd(cluster)
    (cluster.node_paths.containerd_run / "containerd.pid").unlink()
    kill_and_wait(cluster, "agent")
    run_to_the_end(cluster, namespace, "after")
    assert containerds(cluster) == [before]
