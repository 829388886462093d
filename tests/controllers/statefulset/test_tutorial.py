"""Upstream's tutorial "StatefulSet Basics", step by step: names, order, claims, updates, adoption."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.objects.meta import Object, is_deleting, name_of, uid_of
from wherry.testing import Cluster

WEB = """
apiVersion: v1
kind: Service
metadata: {name: nginx, labels: {app: nginx}}
spec: {ports: [{port: 80, name: web}], clusterIP: None, selector: {app: nginx}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: nginx
  replicas: 2
  podManagementPolicy: POLICY
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      containers:
      - name: nginx
        image: registry.k8s.io/nginx-slim:0.21
        ports: [{containerPort: 80, name: web}]
        volumeMounts: [{name: www, mountPath: /usr/share/nginx/html}]
  volumeClaimTemplates:
  - metadata: {name: www}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
SLOW = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {startsAfter: 2s, stopsAfter: 2s}
"""
ORDERED, PARALLEL = WEB.replace("POLICY", "OrderedReady"), WEB.replace("POLICY", "Parallel")


class Tutorial:
    """The tutorial's cluster: storage is provisioned, as it expects."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self._seen: dict[str, Object] = {}
        self._gone: set[str] = set()
        self._done: list[str] = []

    def go_on(self) -> None:
        """Let half a minute pass, with a volume for each claim that has none."""
        for _ in range(30):
            self._bind()
            self._look()
            self.cluster.clock.advance("1s")

    def _bind(self) -> None:
        for claim in self.client.list("pvc", "default"):
            if not claim["spec"].get("volumeName"):
                name = f"pv-{name_of(claim)}"
                spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
                spec |= {"hostPath": {"path": f"/data/{name}"}}
                volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}}
                self.client.create({**volume, "spec": spec})
                bound = {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}
                self.client.patch("pvc", name_of(claim), {"metadata": bound, "spec": {"volumeName": name}})
                self.client.patch("pvc", name_of(claim), {"status": {"phase": "Bound"}}, subresource="status")

    def patch(self, spec: Object) -> None:
        self.client.patch("sts", "web", {"spec": spec})
        self.go_on()

    def set_image(self, tag: str) -> None:
        container = {"name": "nginx", "image": f"registry.k8s.io/nginx-slim:{tag}"}
        self.client.patch(
            "sts", "web", {"spec": {"template": {"spec": {"containers": [container]}}}}, how="strategic"
        )
        self.go_on()

    def tags(self) -> dict[str, str]:
        """Which pods there are, and of which image."""
        pods = [pod for pod in self.client.list("pods", "default") if not is_deleting(pod)]
        return {
            name_of(pod): pod["spec"]["containers"][0]["image"].rpartition(":")[2]
            for pod in sorted(pods, key=name_of)
        }

    def done(self) -> list[str]:
        """What was done to pods since it was last asked: "create web-0", "delete web-1"."""
        self._look()
        done, self._done = self._done, []
        return done

    def _look(self) -> None:
        pods = {uid_of(pod): pod for pod in self.client.list("pods", "default")}
        going = {uid for uid, pod in pods.items() if is_deleting(pod)} | (self._seen.keys() - pods.keys())
        names = {uid: name_of(pod) for uid, pod in [*self._seen.items(), *pods.items()]}
        self._done += sorted((f"delete {names[uid]}" for uid in going - self._gone), reverse=True)
        self._done += sorted(f"create {names[uid]}" for uid in pods.keys() - self._seen.keys())
        self._seen, self._gone = {**self._seen, **pods}, self._gone | going


@pytest.fixture
def tutorial() -> Iterator[Tutorial]:
    with Cluster(nodes=3, outcomes=[SLOW]) as cluster:
        yield Tutorial(cluster)


def test_creating_scaling_and_names(tutorial: Tutorial) -> None:
    tutorial.cluster.apply(ORDERED)
    tutorial.go_on()
    assert tutorial.done() == ["create web-0", "create web-1"]
    pods = {name_of(pod): pod for pod in tutorial.client.list("pods", "default")}
    assert {name: pod["spec"]["hostname"] for name, pod in pods.items()} == {
        "web-0": "web-0",
        "web-1": "web-1",
    }
    assert {pod["spec"]["subdomain"] for pod in pods.values()} == {"nginx"}
    # pods that are deleted come back by the same names, with the same claims
    for name in ("web-0", "web-1"):
        tutorial.client.delete("pod", name)
    tutorial.go_on()
    assert tutorial.done() == ["delete web-1", "delete web-0", "create web-0", "create web-1"]
    assert [name_of(claim) for claim in tutorial.client.list("pvc", "default")] == ["www-web-0", "www-web-1"]
    tutorial.patch({"replicas": 5})
    assert tutorial.done() == ["create web-2", "create web-3", "create web-4"]
    tutorial.patch({"replicas": 3})
    assert tutorial.done() == ["delete web-4", "delete web-3"]
    assert len(tutorial.client.list("pvc", "default")) == 5


def test_updating_with_a_partition(tutorial: Tutorial) -> None:
    tutorial.cluster.apply(ORDERED)
    tutorial.patch({"replicas": 3})
    tutorial.done()
    tutorial.set_image("0.24")
    assert tutorial.done() == [
        "delete web-2",
        "create web-2",
        "delete web-1",
        "create web-1",
        "delete web-0",
        "create web-0",
    ]
    # staged: nothing below the partition, neither by the update nor by chance
    tutorial.patch({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}})
    tutorial.set_image("0.25")
    tutorial.client.delete("pod", "web-2")
    tutorial.go_on()
    assert tutorial.tags() == {"web-0": "0.24", "web-1": "0.24", "web-2": "0.24"}
    # a canary
    tutorial.patch({"updateStrategy": {"rollingUpdate": {"partition": 2}}})
    tutorial.client.delete("pod", "web-1")
    tutorial.go_on()
    assert tutorial.tags() == {"web-0": "0.24", "web-1": "0.24", "web-2": "0.25"}
    tutorial.patch({"updateStrategy": {"rollingUpdate": {"partition": 0}}})
    assert set(tutorial.tags().values()) == {"0.25"}
    # by hand
    tutorial.patch({"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}})
    tutorial.set_image("0.26")
    assert set(tutorial.tags().values()) == {"0.25"}
    tutorial.client.delete("pod", "web-1")
    tutorial.go_on()
    assert tutorial.tags() == {"web-0": "0.25", "web-1": "0.26", "web-2": "0.25"}


def test_deleting_without_the_pods_and_adopting_them(tutorial: Tutorial) -> None:
    tutorial.cluster.apply(ORDERED)
    tutorial.patch({"replicas": 3})
    tutorial.client.delete("sts", "web", propagation="Orphan")
    tutorial.go_on()
    assert [*tutorial.tags()] == ["web-0", "web-1", "web-2"]
    tutorial.client.delete("pod", "web-0")
    tutorial.go_on()
    assert [*tutorial.tags()] == ["web-1", "web-2"]
    tutorial.done()
    tutorial.cluster.apply(ORDERED)
    tutorial.go_on()
    assert tutorial.done() == ["create web-0", "delete web-2"]
    tutorial.client.delete("sts", "web")
    tutorial.go_on()
    assert tutorial.tags() == {}
    assert len(tutorial.client.list("pvc", "default")) == 3


def test_parallel_pods_come_and_go_at_once(tutorial: Tutorial) -> None:
    begun = tutorial.cluster.clock.now()
    tutorial.cluster.apply(PARALLEL)
    assert tutorial.done() == ["create web-0", "create web-1"]
    tutorial.go_on()
    tutorial.client.patch("sts", "web", {"spec": {"replicas": 5}})
    assert tutorial.done() == ["create web-2", "create web-3", "create web-4"]
    tutorial.client.patch("sts", "web", {"spec": {"replicas": 3}})
    assert tutorial.done() == ["delete web-4", "delete web-3"]
    assert (tutorial.cluster.clock.now() - begun).total_seconds() == 30


def test_a_broken_revision_needs_a_hand_to_be_left(tutorial: Tutorial) -> None:
    """Upstream's known issue 67250: after the template is put right, the broken pod has to be deleted."""
    tutorial.cluster.apply(ORDERED)
    tutorial.go_on()
    selector = {"disk": "none"}
    tutorial.patch({"template": {"spec": {"nodeSelector": selector}}})  # a pod no node is good enough for
    assert tutorial.done()[-2:] == ["delete web-1", "create web-1"]
    tutorial.patch({"template": {"spec": {"nodeSelector": None}}})
    assert tutorial.done() == []
    assert tutorial.client.get("pod", "web-1")["spec"]["nodeSelector"] == selector
    tutorial.client.delete("pod", "web-1")
    tutorial.go_on()
    assert tutorial.done() == ["delete web-1", "create web-1"]
    status = tutorial.client.get("sts", "web")["status"]
    assert status["readyReplicas"] == status["updatedReplicas"] == 2
