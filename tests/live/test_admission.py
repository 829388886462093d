"""Quotas, limits, security standards and protection, as kubectl shows them."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.live.cluster import BUSYBOX, LiveCluster, until

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
LIMITS = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "sizes"},
    "spec": {
        "limits": [
            {
                "type": "Container",
                "default": {"cpu": "200m", "memory": "64Mi"},
                "defaultRequest": {"cpu": "10m", "memory": "8Mi"},
                "max": {"cpu": "500m"},
            }
        ]
    },
}


def run(cluster: LiveCluster, namespace: str, name: str, *flags: str) -> str:
    """Start a pod that sleeps."""
    command = ("--", "sh", "-c", "trap exit TERM; while true; do sleep 1; done")
    return cluster.kubectl("run", "-n", namespace, name, f"--image={BUSYBOX}", *flags, *command)


def refused(cluster: LiveCluster, *arguments: str) -> str:
    done = cluster.try_kubectl(*arguments)
    assert done.code == 1, done.out
    return done.err


def used(cluster: LiveCluster, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("quota", "q", "-n", namespace)["status"].get("used", {})
    return found


def test_a_quota_is_counted_held_and_given_back(cluster: LiveCluster, namespace: str) -> None:
    made = cluster.kubectl(
        "create", "quota", "q", "-n", namespace, "--hard=pods=2,services=3,count/deployments.apps=1,secrets=9"
    )
    assert made == "resourcequota/q created\n"
    until(lambda: used(cluster, namespace).get("pods") == "0")
    for name in ("a", "b"):
        run(cluster, namespace, name)
    why = refused(cluster, "run", "c", "-n", namespace, f"--image={BUSYBOX}")
    assert why == (
        'Error from server (Forbidden): pods "c" is forbidden: exceeded quota: q, '
        "requested: pods=1, used: pods=2, limited: pods=2\n"
    )
    said = cluster.kubectl("describe", "quota", "q", "-n", namespace)
    assert re.search(r"^pods\s+2\s+2$", said, re.MULTILINE)
    assert re.search(r"^count/deployments\.apps\s+0\s+1$", said, re.MULTILINE)
    cluster.kubectl("delete", "pod", "a", "-n", namespace, "--grace-period=1")
    until(lambda: used(cluster, namespace)["pods"] == "1")
    run(cluster, namespace, "c")


def test_a_deployment_gets_as_many_pods_as_the_quota_lets_it(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("create", "quota", "q", "-n", namespace, "--hard=pods=2")
    until(lambda: used(cluster, namespace).get("pods") == "0")
    cluster.kubectl("create", "deployment", "web", "-n", namespace, f"--image={BUSYBOX}", "--replicas=4",
                    "--", "sleep", "600")  # fmt: skip
    until(lambda: "exceeded quota: q" in cluster.kubectl("get", "events", "-n", namespace))
    assert len(cluster.get("pods", "-n", namespace)["items"]) == 2
    assert used(cluster, namespace) == {"pods": "2"}
    cluster.kubectl("patch", "quota", "q", "-n", namespace, "-p", '{"spec":{"hard":{"pods":"4"}}}')
    until(lambda: len(cluster.get("pods", "-n", namespace)["items"]) == 4)


def test_limits_fill_in_and_refuse(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(LIMITS))
    run(cluster, namespace, "box")
    (container,) = cluster.get("pod", "box", "-n", namespace)["spec"]["containers"]
    assert container["resources"] == {
        "limits": {"cpu": "200m", "memory": "64Mi"},
        "requests": {"cpu": "10m", "memory": "8Mi"},
    }
    cluster.kubectl("wait", "-n", namespace, "pod/box", "--for=condition=Ready", "--timeout=60s")
    large = {
        "spec": {"containers": [{"name": "big", "image": BUSYBOX, "resources": {"limits": {"cpu": "2"}}}]}
    }
    why = refused(cluster, "run", "big", "-n", namespace, f"--image={BUSYBOX}",
                  f"--overrides={json.dumps(large)}")  # fmt: skip
    assert "maximum cpu usage per Container is 500m, but limit is 2" in why


def test_a_namespace_may_ask_for_restricted_pods(cluster: LiveCluster, namespace: str) -> None:
    run(cluster, namespace, "old")
    done = cluster.try_kubectl(
        "label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted",
        "pod-security.kubernetes.io/warn=baseline",
    )  # fmt: skip
    assert done.code == 0
    assert (
        f'Warning: existing pods in namespace "{namespace}" violate the new PodSecurity enforce level '
        '"restricted:latest"\n'
    ) in done.err
    assert "Warning: old: allowPrivilegeEscalation != false, unrestricted capabilities" in done.err
    why = refused(cluster, "run", "new", "-n", namespace, f"--image={BUSYBOX}")
    assert why.startswith(
        'Error from server (Forbidden): pods "new" is forbidden: violates PodSecurity "restricted:latest": '
        'allowPrivilegeEscalation != false (container "new" must set '
        "securityContext.allowPrivilegeEscalation=false), "
    )


def test_an_unused_claim_is_protected_and_goes(cluster: LiveCluster, namespace: str) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(CLAIM))
    claim = cluster.get("pvc", "data", "-n", namespace)
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    cluster.kubectl("delete", "pvc", "data", "-n", namespace, "--timeout=60s")


def test_the_node_takes_pods(cluster: LiveCluster) -> None:
    (node,) = cluster.get("nodes")["items"]
    assert "taints" not in node["spec"]
