"""What upstream's page about Deployments promises, with its names and numbers, on simulated nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.objects.meta import Object, name_of
from wherry.testing import Cluster

NGINX = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx-deployment, labels: {app: nginx}}
spec:
  replicas: 3
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      containers: [{name: nginx, image: "nginx:1.14.2", ports: [{containerPort: 80}]}]
"""
OUTCOMES = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: no-such-image}
spec: {pods: {matchLabels: {broken: "true"}}, neverPulls: true}
---
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {startsAfter: 2s}
"""


class Page:
    """A cluster with the Deployment of the documentation."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.client = cluster, cluster.client
        cluster.apply(NGINX)
        cluster.wait("deployment/nginx-deployment", "Available")
        cluster.clock.advance("1m")

    def status(self) -> Object:
        found: Object = self.client.get("deployment", "nginx-deployment")["status"]
        return found

    def condition(self, kind: str) -> Object:
        found: Object = next(c for c in self.status()["conditions"] if c["type"] == kind)
        return found

    def sizes(self) -> dict[str, int]:
        """The replicas of each ReplicaSet, by the image of its pods."""
        return {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
            for each in self.client.list("replicasets", "default")
        }

    def set(self, **spec: object) -> None:
        self.client.patch("deployment", "nginx-deployment", {"spec": spec}, how="strategic")

    def set_image(self, image: str, *, is_broken: bool = False) -> None:
        container = {"name": "nginx", "image": image}
        labels = {"app": "nginx", "broken": "true" if is_broken else None}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        self.set(template=template)


@pytest.fixture
def page() -> Iterator[Page]:
    with Cluster(nodes=2, outcomes=[OUTCOMES]) as cluster:
        yield Page(cluster)


def test_a_rollout_keeps_three_quarters_and_never_exceeds_five_quarters(page: Page) -> None:
    (old,) = page.client.list("replicasets", "default")
    hashed = old["metadata"]["labels"]["pod-template-hash"]
    assert name_of(old) == f"nginx-deployment-{hashed}"
    pods = page.client.list("pods", "default")
    assert all(name_of(pod).startswith(f"{name_of(old)}-") for pod in pods)
    seen: list[tuple[int, int]] = []
    page.set_image("nginx:1.16.1")

    def is_done() -> bool:
        status = page.status()
        seen.append((status["replicas"], status.get("availableReplicas", 0)))
        return page.sizes() == {"nginx:1.14.2": 0, "nginx:1.16.1": 3} and status["updatedReplicas"] == 3

    page.cluster.clock.run_until(is_done, "5m")
    assert max(replicas for replicas, _ in seen) == 4
    assert min(available for _, available in seen) == 3  # of three a quarter, rounded down, is none
    page.cluster.clock.advance("1m")
    said = [e.message for e in page.cluster.events() if e.reason == "ScalingReplicaSet"]
    new = next(r for r in page.client.list("replicasets", "default") if name_of(r) != name_of(old))
    assert said[:3] == [
        f"Scaled up replica set {name_of(old)} from 0 to 3",
        f"Scaled up replica set {name_of(new)} from 0 to 1",
        f"Scaled down replica set {name_of(old)} from 3 to 2",
    ]
    assert page.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_rollover_in_mid_flight_leaves_the_old_one_at_once(page: Page) -> None:
    page.set(replicas=5)
    page.cluster.clock.advance("1m")
    page.set_image("nginx:1.16.1", is_broken=True)  # only some are ever made of it
    page.cluster.clock.advance("10s")
    assert page.sizes()["nginx:1.16.1"] > 0
    page.set_image("nginx:1.14.2")
    page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.14.2": 5, "nginx:1.16.1": 0}


def test_proportional_scaling(page: Page) -> None:
    rolling = {"maxSurge": 3, "maxUnavailable": 2}
    page.set(replicas=10, strategy={"rollingUpdate": rolling})
    page.cluster.clock.advance("1m")
    page.set_image("nginx:sometag", is_broken=True)
    page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.14.2": 8, "nginx:sometag": 5}
    page.set(replicas=15)
    page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.14.2": 11, "nginx:sometag": 7}


def test_pausing_and_resuming(page: Page) -> None:
    page.set(paused=True)
    page.set_image("nginx:1.16.1")
    page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.14.2": 3}
    assert page.condition("Progressing")["reason"] == "DeploymentPaused"
    page.set(paused=False)
    page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.14.2": 0, "nginx:1.16.1": 3}


def test_a_stuck_rollout_is_said_after_its_deadline(page: Page) -> None:
    page.set(progressDeadlineSeconds=600)
    page.set_image("nginx:1.161", is_broken=True)
    page.cluster.clock.advance("9m")
    assert page.condition("Progressing")["status"] == "True"
    assert page.sizes() == {"nginx:1.14.2": 3, "nginx:1.161": 1}
    page.cluster.clock.advance("2m")
    said = page.condition("Progressing")
    assert (said["status"], said["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert said["message"].endswith('" has timed out progressing.')
    assert page.condition("Available")["status"] == "True"


def test_old_replica_sets_are_kept_up_to_the_limit(page: Page) -> None:
    page.set(revisionHistoryLimit=2)
    for minor in range(15, 20):
        page.set_image(f"nginx:1.{minor}")
        page.cluster.clock.advance("1m")
    assert page.sizes() == {"nginx:1.17": 0, "nginx:1.18": 0, "nginx:1.19": 3}
