"""Whatever is done to StatefulSets and DaemonSets, in any order: left alone, they come to what they say."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from wherry.controllers.daemonset.placement import Placement
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, controller_of, is_deleting, name_of
from wherry.testing import Cluster

SETS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 3
  serviceName: web
  podManagementPolicy: POLICY
  revisionHistoryLimit: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "i:0"}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  revisionHistoryLimit: 2
  minReadySeconds: 3
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: c, image: "i:0"}]}
"""
SLOW = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {startsAfter: 2s, stopsAfter: 3s}
"""


class Soak:
    """A cluster to which anything is done."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self.cluster, self.client, self.random = cluster, cluster.client, random
        self._images = 0

    def step(self) -> None:
        """Do something, and let some time pass, or none."""
        self.random.choice(
            [
                self.scale,
                self.update,
                self.update,
                self.change_strategy,
                self.delete_a_pod,
                self.delete_a_pod,
                self.end_a_pod,
                self.change_a_node,
                self.add_or_remove_a_node,
                self.orphan_and_adopt,
            ]
        )()
        self.cluster.clock.advance(f"{self.random.choice([0, 1, 2, 7, 30])}s")

    def scale(self) -> None:
        spec = {"replicas": self.random.randrange(6), "ordinals": {"start": self.random.choice([0, 0, 2])}}
        self.client.patch("sts", "web", {"spec": spec})

    def update(self) -> None:
        self._images += self.random.choice([-1, 1, 1])  # now and then back to one before
        container = {"name": "c", "image": f"i:{self._images}"}
        target = self.random.choice([("sts", "web"), ("ds", "log")])
        template = {"spec": {"template": {"spec": {"containers": [container]}}}}
        self.client.patch(*target, template, how="strategic")

    def change_strategy(self) -> None:
        surge = self.random.choice([0, 1, "50%"])
        rolling: Object = {
            "maxSurge": surge,
            "maxUnavailable": 0 if surge else self.random.choice([1, "60%"]),
        }
        self.client.patch("ds", "log", {"spec": {"updateStrategy": {"rollingUpdate": rolling}}})
        rolling = {"partition": self.random.randrange(4), "maxUnavailable": self.random.choice([1, 2, "50%"])}
        self.client.patch("sts", "web", {"spec": {"updateStrategy": {"rollingUpdate": rolling}}})

    def delete_a_pod(self) -> None:
        if pods := self.client.list("pods", "default"):
            grace = self.random.choice([None, 0])
            self.client.delete("pod", name_of(self.random.choice(pods)), grace_period_s=grace)

    def end_a_pod(self) -> None:
        if pods := self.client.list("pods", "default"):
            phase = {"status": {"phase": self.random.choice(["Failed", "Succeeded"])}}
            self.client.patch("pod", name_of(self.random.choice(pods)), phase, subresource="status")

    def change_a_node(self) -> None:
        effect = self.random.choice(["NoSchedule", "NoExecute", ""])
        taints = [{"key": "t", "effect": effect}] if effect else None
        nodes = self.client.list("nodes")
        self.client.patch("node", name_of(self.random.choice(nodes)), {"spec": {"taints": taints}})

    def add_or_remove_a_node(self) -> None:
        names = self.cluster.nodes.names()
        if len(names) > 3:
            self.cluster.nodes.remove(self.random.choice(names))
        else:
            self.cluster.nodes.add(1)

    def orphan_and_adopt(self) -> None:
        kind, name = self.random.choice([("sts", "web"), ("ds", "log")])
        found = self.client.get(kind, name)
        self.client.delete(kind, name, propagation="Orphan")
        self.cluster.clock.advance("1s")
        self.client.create({**found, "metadata": {"name": name, "namespace": "default"}})

    def settle(self) -> None:
        """Leave it alone, with nothing in the way any more."""
        for node in self.client.list("nodes"):
            self.client.patch("node", name_of(node), {"spec": {"taints": None}})
        rolling: dict[str, Any] = {"partition": 0, "maxUnavailable": 1}
        self.client.patch("sts", "web", {"spec": {"updateStrategy": {"rollingUpdate": rolling}}})
        self.cluster.clock.advance("20m")

    def check(self) -> None:
        sts, ds = self.client.get("sts", "web"), self.client.get("ds", "log")
        pods = self.client.list("pods", "default")
        assert not any(map(is_deleting, pods))
        of = {
            owner["metadata"]["uid"]: [
                p for p in pods if (controller_of(p) or {})["uid"] == owner["metadata"]["uid"]
            ]
            for owner in (sts, ds)
        }
        web, log = of[sts["metadata"]["uid"]], of[ds["metadata"]["uid"]]
        assert len(web) + len(log) == len(pods)
        start, count = (sts["spec"].get("ordinals") or {}).get("start") or 0, sts["spec"]["replicas"]
        assert sorted(map(name_of, web)) == sorted(f"web-{start + number}" for number in range(count))
        placement = Placement(ds)
        fitting = [name_of(node) for node in self.client.list("nodes") if placement.verdict(node)[0]]
        assert sorted(pod["spec"]["nodeName"] for pod in log) == sorted(fitting)
        for owner, owned in ((sts, web), (ds, log)):
            wanted = owner["spec"]["template"]["spec"]["containers"][0]["image"]
            assert {pod["spec"]["containers"][0]["image"] for pod in owned} <= {wanted}
            assert owner["status"]["observedGeneration"] == owner["metadata"]["generation"]
            revisions = [
                revision
                for revision in self.client.list("controllerrevisions", "default")
                if (controller_of(revision) or {})["uid"] == owner["metadata"]["uid"]
            ]
            assert 1 <= len(revisions) <= 3
        assert sts["status"].get("availableReplicas", 0) == sts["status"].get("updatedReplicas", 0) == count
        assert sts["status"]["currentRevision"] == sts["status"]["updateRevision"]
        assert (
            ds["status"].get("numberAvailable", 0) == ds["status"]["desiredNumberScheduled"] == len(fitting)
        )


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "seed"), [("OrderedReady", 1), ("Parallel", 2)])
def test_they_come_to_what_they_say(policy: str, seed: int) -> None:
    random = Random(seed)
    with Cluster(nodes=3, seed=seed, outcomes=[SLOW]) as c:
        c.apply(SETS.replace("POLICY", policy))
        soak = Soak(c, random)
        for _ in range(2):
            for _ in range(30):
                try:
                    soak.step()
                except ApiError as error:
                    if error.code not in (404, 409):  # what it chose is gone, or has just been changed
                        raise
            soak.settle()
            soak.check()
