"""Whatever fails once for the scheduler, pods end where they would have ended."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.cluster.assembly import SCHEDULER
from wherry.testing import Cluster

SMALL = {"cpu": "1", "memory": "64Mi"}


def pod(name: str, priority_class: str = "", **requests: str) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "resources": {"requests": {**SMALL, **requests}}}
    spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if priority_class:
        spec["priorityClassName"] = priority_class
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


HIGH = {
    "apiVersion": "scheduling.k8s.io/v1",
    "kind": "PriorityClass",
    "metadata": {"name": "high"},
    "value": 1000,
}


@pytest.mark.slow
def test_pods_are_bound_and_preempt_whatever_fails_once() -> None:
    def scenario(c: Cluster) -> None:
        cores = c.client.list("nodes")[0]["status"]["allocatable"]["cpu"]
        c.apply(pod("victim", cpu=str(int(cores) - 1)))
        c.wait("pod/victim", "Ready", timeout="10m")
        c.apply(pod("preemptor", "high", cpu="2"))
        # A watch that is behind by one event tells the last only when another follows.
        gated = pod("bystander")
        gated["spec"]["schedulingGates"] = [{"name": "example.com/never"}]
        c.apply(gated)
        c.wait("pod/preemptor", "Ready", timeout="20m")

    with Cluster(nodes=1, objects=[HIGH]) as c:
        report = c.faults.sweep(scenario, user=SCHEDULER)
    assert len(report.runs) >= 15
    assert all(run.met for run in report.runs)
    report.check()
