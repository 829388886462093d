"""Thirty simulated days of whatever happens to a cluster: it converges, and nothing is left over."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from wherry.hollow.machines import NodeTemplate
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, is_deleting, name_of
from wherry.testing import Cluster

DAYS = 30
NAMESPACE = "shop"
TEMPLATE = """
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers: [{name: c, image: "i:0"}]
"""
WORK = (
    """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  revisionHistoryLimit: 3
WEB
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: 2
  serviceName: db
  revisionHistoryLimit: 3
DB
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log, namespace: shop}
spec:
  revisionHistoryLimit: 3
LOG
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick, namespace: shop}
spec:
  schedule: "0 */3 * * *"
  concurrencyPolicy: Replace
  jobTemplate:
    spec:
      ttlSecondsAfterFinished: 86400
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: "i:0"}]
""".replace("WEB", TEMPLATE.replace("NAME", "web"))
    .replace("DB", TEMPLATE.replace("NAME", "db"))
    .replace("LOG", TEMPLATE.replace("NAME", "log"))
)
WORKLOADS = (("deployment", "web"), ("statefulset", "db"), ("daemonset", "log"))
VERSIONS = ("/api/v1", "/apis/apps/v1", "/apis/batch/v1", "/apis/discovery.k8s.io/v1", "/apis/policy/v1")
NODES = NodeTemplate(pool="test", name="node-{index}", lease_s=600)
"""Renewals every 150 seconds instead of every ten: a month is long."""
LEFT_OUT = {"leases", "events", "nodes"}
"""What a cluster makes by itself as time passes."""


class Life:
    """What befalls a cluster."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self.cluster, self.client, self.random = cluster, cluster.client, random
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        """One thing happens; some minutes or hours pass."""
        happens = self.random.choice(
            [self.scale, self.upgrade, self.delete_a_pod, self.drain, self.lose_a_node, self.change_nodes]
        )
        try:
            happens()
            self.done[happens.__name__] += 1
        except ApiError as error:
            if error.code not in (404, 409):  # what it chose is gone, or has just been changed
                raise
        self.cluster.clock.advance(f"{self.random.choice([1, 20, 240, 460])}m")

    def scale(self) -> None:
        kind, name = self.random.choice(WORKLOADS[:2])
        self.client.patch(kind, name, {"spec": {"replicas": self.random.randrange(8)}}, NAMESPACE)

    def upgrade(self) -> None:
        kind, name = self.random.choice(WORKLOADS)
        container = {"name": "c", "image": f"i:{self.random.randrange(1000)}"}
        template = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.client.patch(kind, name, template, NAMESPACE, how="strategic")

    def delete_a_pod(self) -> None:
        if pods := self.client.list("pods", NAMESPACE):
            self.client.delete("pod", name_of(self.random.choice(pods)), NAMESPACE)

    def drain(self) -> None:
        """As `kubectl drain` does: cordon, evict what no daemon is, as budgets allow it; then uncordon."""
        node = self.random.choice(self.cluster.nodes.names())
        self.client.patch("node", node, {"spec": {"unschedulable": True}})
        for _ in range(20):
            pods = [pod for pod in self.client.list("pods", NAMESPACE) if pod["spec"].get("nodeName") == node]
            left = [pod for pod in pods if (controller_of(pod) or {}).get("kind") != "DaemonSet"]
            if not left:
                break
            for pod in left:
                self._evict(name_of(pod))
            self.cluster.clock.advance("10s")
        self.client.patch("node", node, {"spec": {"unschedulable": None}})

    def _evict(self, pod: str) -> None:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        try:
            self.client.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction", eviction)
        except ApiError as error:
            if error.code not in (404, 429):
                raise

    def lose_a_node(self) -> None:
        node = self.random.choice(self.cluster.nodes.names())
        self.cluster.nodes.lose(node)
        self.cluster.clock.advance(f"{self.random.choice([5, 20, 120])}m")
        self.cluster.nodes.recover(node)

    def change_nodes(self) -> None:
        names = self.cluster.nodes.names()
        if len(names) > 3:
            gone = self.random.choice(names)
            self.cluster.nodes.remove(gone)
        else:
            self.cluster.nodes.add(1)

    def check(self) -> None:
        """Left alone, all has come to what it says."""
        self.cluster.clock.advance("30m")
        pods = self.client.list("pods", NAMESPACE)
        assert not any(map(is_deleting, pods))
        nodes = {name_of(node) for node in self.client.list("nodes")}
        assert nodes == set(self.cluster.nodes.names())
        assert {pod["spec"]["nodeName"] for pod in pods} <= nodes
        web, db, log = (self.client.get(kind, name, NAMESPACE) for kind, name in WORKLOADS)
        assert web["status"].get("availableReplicas", 0) == web["spec"]["replicas"] == count(pods, "web")
        assert db["status"].get("availableReplicas", 0) == db["spec"]["replicas"] == count(pods, "db")
        assert log["status"]["numberAvailable"] == len(nodes) == count(pods, "log")
        for owner in (web, db, log):
            image = owner["spec"]["template"]["spec"]["containers"][0]["image"]
            app = name_of(owner)
            images = {p["spec"]["containers"][0]["image"] for p in pods if labels(p).get("app") == app}
            assert images <= {image}
            assert owner["status"]["observedGeneration"] == owner["metadata"]["generation"]
        addresses = [
            address
            for each in self.client.list("endpointslices", NAMESPACE)
            for endpoint in each.get("endpoints") or ()
            for address in endpoint["addresses"]
        ]
        served = [pod["status"]["podIP"] for pod in pods if labels(pod).get("app") == "web"]
        assert sorted(addresses) == sorted(served)
        assert len(self.client.list("replicasets", NAMESPACE)) <= 4
        assert len(self.client.list("controllerrevisions", NAMESPACE)) <= 8
        jobs = self.client.list("jobs", NAMESPACE)
        assert len(jobs) <= 4
        assert all(controller_of(job) for job in jobs)
        assert len(self.client.list("leases", "kube-node-lease")) == len(nodes)


def labels(obj: Object) -> dict[str, str]:
    found: dict[str, str] = obj["metadata"].get("labels") or {}
    return found


def count(pods: list[Object], app: str) -> int:
    return sum(labels(pod).get("app") == app for pod in pods)


def counts(cluster: Cluster) -> dict[str, int]:
    """How many objects of each kind there are, but for what comes and goes by itself."""
    found: dict[str, int] = {}
    for version in (
        "/api/v1",
        "/apis/apps/v1",
        "/apis/batch/v1",
        "/apis/discovery.k8s.io/v1",
        "/apis/policy/v1",
    ):
        for resource in cluster.client.request("GET", version)["resources"]:
            name = resource["name"]
            if "list" in resource["verbs"] and name not in LEFT_OUT:
                items: list[Any] = cluster.client.request("GET", f"{version}/{name}")["items"]
                found[f"{version}/{name}"] = len(items)
    return found


def tasks() -> int:
    """How many tasks there are that have not ended, of whatever loop."""
    gc.collect()
    return sum(isinstance(obj, asyncio.Task) and not obj.done() for obj in gc.get_objects())


@pytest.mark.slow
def test_thirty_days() -> None:
    with Cluster(nodes=3, seed=30, node_template=NODES) as c:
        c.clock.advance("1m")
        before = counts(c)
        c.apply(WORK)
        life = Life(c, Random(30))
        begun = c.clock.now()
        for day in range(1, DAYS + 1):
            while c.clock.now() < begun + timedelta(days=day):
                life.step()
            if day % 5 == 0:
                life.check()
            if day == 1:
                tasks_before = tasks()
        assert min(life.done.values()) >= 5
        assert len(life.done) == 6
        c.client.delete("namespace", NAMESPACE)
        c.clock.advance("2h")
        assert counts(c) == before
        assert c.client.list("events") == []
        assert tasks() == tasks_before
