"""The seed example: a ReplicationController of three nginx pods and a NodePort service before it."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, POD_RANGE, LiveCluster, until

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "nginx-rc.yaml"


@pytest.fixture
def nginx(cluster: LiveCluster, namespace: str) -> str:
    """The example, applied and Ready, in a namespace."""
    cluster.kubectl("apply", "-n", namespace, "-f", str(EXAMPLE))
    wait_for_pods(cluster, namespace, 3)
    return namespace


def wait_for_pods(cluster: LiveCluster, namespace: str, count: int) -> list[dict[str, Any]]:
    """The pods of the controller once exactly `count` are there and Ready."""

    def ready() -> list[dict[str, Any]] | None:
        pods = cluster.get("pods", "-n", namespace, "-l", "app=nginx")["items"]
        alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        good = [pod for pod in alive if condition(pod, "Ready") == "True"]
        return good if len(good) == count and len(pods) == count else None

    found: list[dict[str, Any]] = until(ready)
    return found


def condition(pod: dict[str, Any], kind: str) -> str:
    """The status of a pod's condition, "" without it."""
    found = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == kind]
    return str(found[0]) if found else ""


def fetch(url: str) -> str:
    """The page at `url`, asked for from the host."""
    return subprocess.run(
        ["curl", "--fail", "--silent", "--show-error", "--max-time", "5", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_three_pods_run_with_addresses_of_their_own(cluster: LiveCluster, nginx: str) -> None:
    pods = wait_for_pods(cluster, nginx, 3)
    addresses = {pod["status"]["podIP"] for pod in pods}
    assert len(addresses) == 3
    assert all(address.startswith(f"{POD_RANGE}.") for address in addresses)
    table = cluster.kubectl("get", "rc", "nginx", "-n", nginx)
    assert table.split("\n")[0].split() == ["NAME", "DESIRED", "CURRENT", "READY", "AGE"]
    assert table.split("\n")[1].split()[:4] == ["nginx", "3", "3", "3"]


def test_service_answers_from_host_and_pod_and_spreads(cluster: LiveCluster, nginx: str) -> None:
    for pod in wait_for_pods(cluster, nginx, 3):
        name = pod["metadata"]["name"]
        page = f"echo {name} > /usr/share/nginx/html/who"
        cluster.kubectl("exec", "-n", nginx, name, "--", "sh", "-c", page)
    service = cluster.get("service", "nginx", "-n", nginx)["spec"]
    by_cluster_ip = f"http://{service['clusterIP']}/who"
    by_node_port = f"http://127.0.0.1:{service['ports'][0]['nodePort']}/who"
    for url in (by_cluster_ip, by_node_port):
        answers = Counter(fetch(url).strip() for _ in range(60))
        # Each of 3 is missed by 60 random choices with a probability of 1 in 10 billion.
        assert len(answers) == 3, answers
    client = cluster.kubectl(
        *("run", "client", "-n", nginx, f"--image={BUSYBOX}", "--restart=Never", "-i", "--rm", "--quiet"),
        *("--", "wget", "-q", "-O", "-", by_cluster_ip),
    )
    # kubectl may show what a command said twice, when it ends while kubectl attaches.
    assert set(client.split()) <= set(answers)
    assert client


def test_a_killed_container_is_restarted(cluster: LiveCluster, nginx: str) -> None:
    victim = wait_for_pods(cluster, nginx, 3)[0]
    name, before = victim["metadata"]["name"], victim["status"]["containerStatuses"][0]
    cluster.try_kubectl("exec", "-n", nginx, name, "--", "sh", "-c", "kill -9 -1; kill 1")

    def restarted() -> bool:
        status = cluster.get("pod", name, "-n", nginx)["status"]["containerStatuses"][0]
        return bool(
            status["restartCount"] == 1 and status["ready"] and status["containerID"] != before["containerID"]
        )

    until(restarted)
    last = cluster.get("pod", name, "-n", nginx)["status"]["containerStatuses"][0]["lastState"]
    assert "terminated" in last


def test_a_deleted_pod_is_replaced(cluster: LiveCluster, nginx: str) -> None:
    names = {pod["metadata"]["name"] for pod in wait_for_pods(cluster, nginx, 3)}
    victim = min(names)
    cluster.kubectl("delete", "pod", victim, "-n", nginx)
    after = {pod["metadata"]["name"] for pod in wait_for_pods(cluster, nginx, 3)}
    assert victim not in after
    assert len(after & names) == 2, "the others were left alone"


def test_scale_up_and_down(cluster: LiveCluster, nginx: str) -> None:
    for replicas in (5, 1):
        cluster.kubectl("scale", "rc", "nginx", "-n", nginx, f"--replicas={replicas}")
        wait_for_pods(cluster, nginx, replicas)
    events = cluster.kubectl("get", "events", "-n", nginx)
    assert "Created pod: nginx-" in events
    assert "Deleted pod: nginx-" in events
