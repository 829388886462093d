"""Simulated zones that fall silent: how fast they are emptied, and what there is when they return."""

from __future__ import annotations

from dataclasses import replace

from wherry.objects.meta import Object
from wherry.testing import Cluster
from wherry.testing.settings import NODES

ZONES = replace(NODES, zones=("a", "b"))
DRIVEN = "node.kubernetes.io/unreachable"
WEB: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 6,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}


def in_zone(c: Cluster, zone: str) -> list[str]:
    return [
        node["metadata"]["name"]
        for node in c.client.list("nodes")
        if node["metadata"]["labels"]["topology.kubernetes.io/zone"] == zone
    ]


def emptied(c: Cluster) -> set[str]:
    return {
        node["metadata"]["name"]
        for node in c.client.list("nodes")
        for taint in node["spec"].get("taints") or ()
        if (taint["key"], taint["effect"]) == (DRIVEN, "NoExecute")
    }


def test_a_zone_that_is_lost_is_emptied_one_node_after_the_other() -> None:
    with Cluster(nodes=6, node_template=ZONES) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        lost = in_zone(c, "a")
        for name in lost:
            c.nodes.lose(name)
        c.clock.advance("60s")
        assert len(emptied(c)) in (1, 2)
        c.clock.advance("30s")
        assert emptied(c) == set(lost)
        c.clock.advance("6m")
        pods = [pod for pod in c.client.list("pods", "default") if not is_going(pod)]
        running = {pod["spec"]["nodeName"] for pod in pods}
        assert running == set(in_zone(c, "b"))


def test_when_all_zones_are_lost_nobody_is_evicted_and_pods_are_there_when_they_return() -> None:
    with Cluster(nodes=4, node_template=ZONES) as c:
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        before = {pod["metadata"]["uid"] for pod in c.client.list("pods", "default")}
        names = [node["metadata"]["name"] for node in c.client.list("nodes")]
        for name in names:
            c.nodes.lose(name)
        c.clock.advance("20m")
        assert emptied(c) == set()
        for name in names:
            c.nodes.recover(name)
        c.clock.advance("2m")
        assert {pod["metadata"]["uid"] for pod in c.client.list("pods", "default")} == before
        assert all(not node["spec"].get("taints") for node in c.client.list("nodes"))


def is_going(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]
