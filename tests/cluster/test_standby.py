"""A scheduler that waits for the first pod is there when it comes, and for those that are there already."""

from __future__ import annotations

from tests.apiserver.rig import pod
from wherry.testing import Cluster

POD = pod("early")


def test_the_first_pod_is_scheduled() -> None:
    with Cluster(nodes=1) as c:
        c.apply(POD)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"] == "node-0"


def test_pods_that_wait_already_are_scheduled() -> None:
    with Cluster(scheduler=False, objects=[POD]) as c:
        snapshot = c.snapshot()
    with Cluster(nodes=1) as c:
        c.restore(snapshot)
        c.nodes.add(1)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"].startswith("node-")


def test_it_comes_again_after_a_crash() -> None:
    with Cluster(nodes=1) as c:
        c.apply(pod("first"))
        c.faults.crash("pods/binding", user="system:kube-scheduler")
        c.apply(POD)
        assert c.wait("pod/early", "Ready")["spec"]["nodeName"] == "node-0"
