"""Deployments through kubectl: rollout, undo, and what is served all the while."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, LiveCluster, until

ABSENT = "127.0.0.1:9/no-such-image:1"
"""No registry listens there, and nobody outside this machine is asked."""


@pytest.fixture
def web(cluster: LiveCluster, namespace: str) -> str:
    """A Deployment of two pods, rolled out."""
    cluster.kubectl(
        *("create", "deployment", "web", "-n", namespace, f"--image={BUSYBOX}", "--replicas=2"),
        *("--", "sh", "-c", "trap exit TERM; sleep 3600 & wait"),
    )
    cluster.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=60s")
    return namespace


def template(cluster: LiveCluster, namespace: str) -> Any:
    return cluster.get("deployment", "web", "-n", namespace)["spec"]["template"]["spec"]["containers"][0]


def test_rollout_and_undo(cluster: LiveCluster, web: str) -> None:
    cluster.kubectl("set", "env", "deployment/web", "-n", web, "COLOR=blue")
    said = cluster.kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=60s")
    assert 'deployment "web" successfully rolled out' in said
    assert template(cluster, web)["env"] == [{"name": "COLOR", "value": "blue"}]
    history = cluster.kubectl("rollout", "history", "deployment/web", "-n", web)
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    cluster.kubectl("rollout", "undo", "deployment/web", "-n", web)
    cluster.kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=60s")
    assert "env" not in template(cluster, web)
    sets = cluster.get("replicasets", "-n", web)["items"]
    assert sorted(item["spec"]["replicas"] for item in sets) == [0, 2]


def test_a_bad_image_stops_the_rollout_and_says_why(cluster: LiveCluster, web: str) -> None:
    cluster.kubectl("set", "image", "deployment/web", "-n", web, f"busybox={ABSENT}")
    waited = cluster.try_kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=3s")
    assert waited.code != 0
    pods = cluster.get("pods", "-n", web)["items"]
    ready = [p for p in pods if all(s["ready"] for s in p["status"].get("containerStatuses", [{"ready": 0}]))]
    assert len(ready) == 2, "the old pods still serve"
    complaint = f'Failed to pull image "{ABSENT}"'
    until(lambda: complaint in cluster.kubectl("get", "events", "-n", web))


def test_scale(cluster: LiveCluster, web: str) -> None:
    cluster.kubectl("scale", "deployment/web", "-n", web, "--replicas=4")
    cluster.kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=60s")
    assert cluster.get("deployment", "web", "-n", web)["status"]["readyReplicas"] == 4
