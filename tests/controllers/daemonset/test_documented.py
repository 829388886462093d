"""What upstream's pages about DaemonSets promise, on simulated nodes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wherry.objects.meta import Object, is_deleting
from wherry.testing import Cluster

FLUENTD = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: fluentd, labels: {k8s-app: fluentd-logging}}
spec:
  selector: {matchLabels: {name: fluentd}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
  template:
    metadata: {labels: {name: fluentd}}
    spec:
      tolerations:
      - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
      containers: [{name: fluentd, image: "quay.io/fluentd_elasticsearch/fluentd:v5.0.1"}]
"""
SLOW = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {startsAfter: 2s, stopsAfter: 2s}
"""


class Daemons:
    """A cluster with the DaemonSet of the documentation."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.client = cluster.client
        cluster.apply(FLUENTD)
        cluster.clock.advance("5s")

    def nodes(self) -> list[str]:
        """The nodes that have a pod that is to stay, each once per pod."""
        return sorted(pod["spec"]["nodeName"] for pod in self.pods())

    def pods(self) -> list[Object]:
        return [pod for pod in self.client.list("pods", "default") if not is_deleting(pod)]

    def images(self) -> list[str]:
        return sorted(pod["spec"]["containers"][0]["image"] for pod in self.pods())

    def set_image(self, image: str) -> None:
        container = {"name": "fluentd", "image": image}
        self.client.patch(
            "ds", "fluentd", {"spec": {"template": {"spec": {"containers": [container]}}}}, how="strategic"
        )

    def available(self) -> int:
        status = self.client.get("ds", "fluentd")["status"]
        return int(status.get("numberAvailable") or 0)


@pytest.fixture
def daemons() -> Iterator[Daemons]:
    with Cluster(nodes=3, outcomes=[SLOW]) as cluster:
        yield Daemons(cluster)


def test_nodes_that_come_get_a_pod_at_once_and_those_that_go_lose_it(daemons: Daemons) -> None:
    assert daemons.nodes() == ["node-0", "node-1", "node-2"]
    daemons.cluster.nodes.add(1)
    assert daemons.nodes() == ["node-0", "node-1", "node-2", "node-3"]  # no time has passed
    daemons.cluster.nodes.remove("node-1")
    daemons.cluster.clock.advance("1m")
    assert daemons.nodes() == ["node-0", "node-2", "node-3"]
    status = daemons.client.get("ds", "fluentd")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (3, 3)


def test_nodes_are_chosen_by_label_and_taints_keep_pods_off(daemons: Daemons) -> None:
    daemons.client.patch("ds", "fluentd", {"spec": {"template": {"spec": {"nodeSelector": {"log": "yes"}}}}})
    daemons.cluster.clock.advance("10s")
    assert daemons.nodes() == []
    daemons.client.patch("node", "node-2", {"metadata": {"labels": {"log": "yes"}}})
    daemons.client.patch("node", "node-0", {"metadata": {"labels": {"log": "yes"}}})
    taint = {"key": "only", "value": "batch", "effect": "NoSchedule"}
    daemons.client.patch("node", "node-1", {"spec": {"taints": [taint]}})
    daemons.client.patch("node", "node-1", {"metadata": {"labels": {"log": "yes"}}})
    daemons.cluster.clock.advance("10s")
    assert daemons.nodes() == ["node-0", "node-2"]
    # labels that go take the pod along; a taint that does not evict lets it stay
    daemons.client.patch("node", "node-2", {"metadata": {"labels": {"log": None}}})
    daemons.client.patch("node", "node-0", {"spec": {"taints": [taint]}})
    daemons.cluster.clock.advance("10s")
    assert daemons.nodes() == ["node-0"]
    assert daemons.client.get("ds", "fluentd")["status"]["numberMisscheduled"] == 1


def test_a_cordoned_or_lost_node_keeps_its_pod(daemons: Daemons) -> None:
    daemons.client.patch("node", "node-0", {"spec": {"unschedulable": True}})
    daemons.cluster.nodes.lose("node-1")
    before = {pod["metadata"]["uid"] for pod in daemons.pods()}
    daemons.cluster.clock.advance("20m")
    assert {pod["metadata"]["uid"] for pod in daemons.pods()} == before
    daemons.cluster.nodes.add(1)
    daemons.client.patch("node", "node-3", {"spec": {"unschedulable": True}})
    daemons.cluster.clock.advance("10s")
    assert len(daemons.pods()) == 4


@pytest.mark.parametrize(
    ("strategy", "fewest", "most"),
    [
        ({"maxUnavailable": 1, "maxSurge": 0}, 2, 3),
        ({"maxUnavailable": "100%", "maxSurge": 0}, 0, 3),
        ({"maxUnavailable": 0, "maxSurge": 1}, 3, 4),
        ({"maxUnavailable": 0, "maxSurge": "100%"}, 3, 6),
    ],
)
def test_an_update_stays_within_its_limits(
    daemons: Daemons, strategy: Object, fewest: int, most: int
) -> None:
    daemons.client.patch("ds", "fluentd", {"spec": {"updateStrategy": {"rollingUpdate": strategy}}})
    daemons.set_image("fluentd:new")
    available, pods = [], []
    for _ in range(30):
        available.append(daemons.available())
        pods.append(len(daemons.pods()))
        daemons.cluster.clock.advance("1s")
    assert (min(available), max(pods)) == (fewest, most)
    assert daemons.images() == ["fluentd:new"] * 3
    assert daemons.nodes() == ["node-0", "node-1", "node-2"]


def test_on_delete_leaves_pods_until_somebody_deletes_them(daemons: Daemons) -> None:
    strategy = {"type": "OnDelete", "rollingUpdate": None}
    daemons.client.patch("ds", "fluentd", {"spec": {"updateStrategy": strategy}})
    old = daemons.images()
    daemons.set_image("fluentd:new")
    daemons.cluster.clock.advance("1m")
    assert daemons.images() == old
    daemons.client.delete("pod", daemons.pods()[0]["metadata"]["name"])
    daemons.cluster.clock.advance("10s")
    assert daemons.images() == ["fluentd:new", *old[:2]]
    assert daemons.client.get("ds", "fluentd")["status"]["updatedNumberScheduled"] == 1


def test_pods_left_behind_are_updated_though_their_set_had_changed_as_often(daemons: Daemons) -> None:
    daemons.set_image("fluentd:left")
    daemons.cluster.clock.advance("1m")
    daemons.client.delete("ds", "fluentd", propagation="Orphan")
    daemons.cluster.apply(FLUENTD)
    daemons.set_image("fluentd:new")  # the second template of both sets
    daemons.cluster.clock.advance("1m")
    assert daemons.images() == ["fluentd:new"] * 3


def test_pods_left_behind_are_adopted(daemons: Daemons) -> None:
    before = {pod["metadata"]["uid"] for pod in daemons.pods()}
    daemons.client.delete("ds", "fluentd", propagation="Orphan")
    daemons.cluster.clock.advance("10s")
    assert {pod["metadata"]["uid"] for pod in daemons.pods()} == before
    daemons.cluster.apply(FLUENTD)
    daemons.cluster.clock.advance("30s")
    owners = {pod["metadata"]["ownerReferences"][0]["uid"] for pod in daemons.pods()}
    assert owners == {daemons.client.get("ds", "fluentd")["metadata"]["uid"]}
    assert daemons.nodes() == ["node-0", "node-1", "node-2"]
