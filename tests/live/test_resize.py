"""Pods resized in place, as upstream's task "Resize CPU and Memory Resources assigned to Containers" does."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.live.cluster import BUSYBOX, Done, LiveCluster, kill_and_wait, until
from tests.live.test_containerd_faults import the_containerd

LOOK = {
    "quota": "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us || cut -d' ' -f1 /sys/fs/cgroup/cpu.max",
    "memory": "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max",
}


def create(cluster: LiveCluster, namespace: str, name: str, cpu: str, memory: str, **more: Any) -> None:
    amounts = {"cpu": cpu, "memory": memory}
    container = {
        "name": "pause",
        "image": BUSYBOX,
        "command": ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"],
        "resizePolicy": [
            {"resourceName": "cpu", "restartPolicy": "NotRequired"},
            {"resourceName": "memory", "restartPolicy": "RestartContainer"},
        ],
        "resources": {"requests": amounts, "limits": amounts},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{**container, **more}]},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("wait", f"pod/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")


def try_resize(cluster: LiveCluster, namespace: str, name: str, **amounts: str) -> Done:
    resources = {"requests": amounts, "limits": amounts}
    patch = {"spec": {"containers": [{"name": "pause", "resources": resources}]}}
    arguments = ("patch", "pod", name, "-n", namespace, "--subresource", "resize", "--patch")
    return cluster.try_kubectl(*arguments, json.dumps(patch))


def resize(cluster: LiveCluster, namespace: str, name: str, **amounts: str) -> None:
    done = try_resize(cluster, namespace, name, **amounts)
    assert done.code == 0, done.err


def container(cluster: LiveCluster, namespace: str, name: str) -> Any:
    found = cluster.get("pod", name, "-n", namespace)["status"]["containerStatuses"]
    return found[0]


def condition(cluster: LiveCluster, namespace: str, name: str, kind: str) -> Any:
    conditions = cluster.get("pod", name, "-n", namespace)["status"]["conditions"]
    return next((c for c in conditions if c["type"] == kind), None)


def has(cluster: LiveCluster, namespace: str, name: str, **amounts: str) -> Any:
    """The container's status once it runs with these amounts and its pod is at rest."""
    status = cluster.get("pod", name, "-n", namespace)["status"]
    (found,) = status["containerStatuses"]
    resources = found.get("resources") or {}
    is_so = all((resources.get(kind) or {}) == amounts for kind in ("requests", "limits"))
    is_resting = not any(c["type"].startswith("PodResize") for c in status["conditions"])
    return found if is_so and is_resting and found["ready"] else None


def inside(cluster: LiveCluster, namespace: str, name: str, what: str) -> str:
    """A figure of the container's own cgroup, as it sees it."""
    shell = f"{LOOK[what]} 2>/dev/null"
    return cluster.kubectl("exec", name, "-n", namespace, "--", "sh", "-c", shell).strip()


def test_upstreams_task(cluster: LiveCluster, namespace: str) -> None:
    name = "resize-demo"
    create(cluster, namespace, name, "700m", "200Mi")
    before = container(cluster, namespace, name)
    assert before["resources"] == {
        kind: {"cpu": "700m", "memory": "200Mi"} for kind in ("requests", "limits")
    }
    assert inside(cluster, namespace, name, "quota") == "70000"

    resize(cluster, namespace, name, cpu="800m", memory="200Mi")
    after = until(lambda: has(cluster, namespace, name, cpu="800m", memory="200Mi"))
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert inside(cluster, namespace, name, "quota") == "80000"

    resize(cluster, namespace, name, cpu="800m", memory="300Mi")
    after = until(lambda: has(cluster, namespace, name, cpu="800m", memory="300Mi"))
    assert after["restartCount"] == 1
    assert inside(cluster, namespace, name, "memory") == str(300 << 20)

    refused = try_resize(cluster, namespace, name, cpu="1000", memory="300Mi")
    assert refused.code != 0
    assert "Node didn't have enough allocatable resources: cpu, requested: 1000000" in refused.err

    create(cluster, namespace, "other", "1", "50Mi")
    resize(cluster, namespace, name, cpu="1500m", memory="300Mi")
    pending = until(lambda: condition(cluster, namespace, name, "PodResizePending"))
    assert pending["reason"] == "Deferred"
    assert pending["message"].startswith("Node didn't have enough resource: cpu, requested: 1500, used: ")
    cluster.kubectl("delete", "pod", "other", "-n", namespace)
    until(lambda: has(cluster, namespace, name, cpu="1500m", memory="300Mi"))
    assert inside(cluster, namespace, name, "quota") == "150000"
    told = cluster.kubectl("events", "-n", namespace, "--for", f"pod/{name}")
    for reason in ("ResizeStarted", "ResizeCompleted", "ResizeDeferred"):
        assert reason in told


def test_an_agent_killed_between_allocation_and_change(cluster: LiveCluster, namespace: str) -> None:
    name = "killed"
    create(cluster, namespace, name, "200m", "64Mi")
    before = container(cluster, namespace, name)
    uid = cluster.get("pod", name, "-n", namespace)["metadata"]["uid"]
    record = cluster.node_paths.kubelet / "pods" / uid / "allocated_resources.json"
    containerd = the_containerd(cluster)
    containerd.send(signal.SIGSTOP)
    try:
        resize(cluster, namespace, name, cpu="400m", memory="64Mi")

        def is_allocated() -> bool:
            given = json.loads(record.read_text())["containers"]["pause"]["limits"]["cpu"]
            return bool(cluster.get("pod", name, "-n", namespace) and given == "400m")

        until(is_allocated)
        os.kill(cluster.pid("agent"), signal.SIGKILL)
    finally:
        containerd.send(signal.SIGCONT)
    after = until(lambda: has(cluster, namespace, name, cpu="400m", memory="64Mi"))
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)
    assert inside(cluster, namespace, name, "quota") == "40000"
    kill_and_wait(cluster, "agent")
    assert container(cluster, namespace, name)["containerID"] == before["containerID"]
