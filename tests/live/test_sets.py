"""A StatefulSet and a DaemonSet of real containers."""

from __future__ import annotations

from tests.live.cluster import BUSYBOX, LiveCluster, until

SETS = f"""
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  serviceName: db
  replicas: 2
  selector: {{matchLabels: {{app: db}}}}
  template:
    metadata: {{labels: {{app: db}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: {BUSYBOX}
        command: [sh, -c, "trap exit TERM; sleep 3600 & wait"]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: log}}
spec:
  selector: {{matchLabels: {{app: log}}}}
  updateStrategy: {{type: RollingUpdate, rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}}}
  template:
    metadata: {{labels: {{app: log}}}}
    spec:
      terminationGracePeriodSeconds: 1
      hostNetwork: true
      containers:
      - name: c
        image: {BUSYBOX}
        command: [sh, -c, "trap exit TERM; sleep 3600 & wait"]
"""


def pods(cluster: LiveCluster, namespace: str, app: str) -> list[str]:
    path = "jsonpath={.items[*].metadata.name}"
    return cluster.kubectl("get", "pods", "-n", namespace, "-l", f"app={app}", "-o", path).split()


def test_pods_keep_their_names_and_a_daemon_is_replaced_by_its_successor(
    cluster: LiveCluster, namespace: str
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=SETS)
    for target in ("sts/db", "ds/log"):
        cluster.kubectl("rollout", "status", target, "-n", namespace, "--timeout=60s")
    assert pods(cluster, namespace, "db") == ["db-0", "db-1"]
    assert cluster.kubectl("exec", "-n", namespace, "db-1", "--", "hostname").strip() == "db-1"
    killed = cluster.get("pod", "db-0", "-n", namespace)["metadata"]["uid"]
    cluster.kubectl("delete", "pod", "db-0", "-n", namespace, "--wait=false")
    until(
        lambda: (
            cluster.try_kubectl("get", "pod", "db-0", "-n", namespace, "-o", "jsonpath={.metadata.uid}").out
            not in ("", killed)
        )
    )
    cluster.kubectl("rollout", "status", "sts/db", "-n", namespace, "--timeout=60s")
    (before,) = pods(cluster, namespace, "log")
    cluster.kubectl("set", "env", "ds/log", "-n", namespace, "COLOR=blue")
    cluster.kubectl("rollout", "status", "ds/log", "-n", namespace, "--timeout=60s")
    until(lambda: before not in pods(cluster, namespace, "log"))
    (after,) = pods(cluster, namespace, "log")
    environment = cluster.kubectl("exec", "-n", namespace, after, "--", "env")
    assert "COLOR=blue" in environment.splitlines()
