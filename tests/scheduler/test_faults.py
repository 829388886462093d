"""Whatever fails once for the scheduler, pods end where they would have ended."""

from __future__ import annotations

from typing import Any

import pytest

from tests.quiet_nodes import QUIET
from wherry.cluster.assembly import SCHEDULER
from wherry.testing import Cluster

SMALL = {"cpu": "1", "memory": "64Mi"}


def pod(name: str, priority_class: str = "", **requests: str) -> dict[str, Any]:
    container = {"name": "c", "image": "i", "resources": {"requests": {**SMALL, **requests}}}
    spec: dict[str, Any] = {"containers": [container], "terminationGracePeriodSeconds": 1}
    if priority_class:
        spec["priorityClassName"] = priority_class
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def bystander(name: str) -> dict[str, Any]:
    """A pod nobody places. A watch that is behind by one event tells the last only when another follows."""
    gated = pod(name)
    gated["spec"]["schedulingGates"] = [{"name": "example.com/never"}]
    return gated


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
        c.apply(bystander("first"))
        c.wait("pod/victim", "Ready", timeout="10m")
        c.apply(pod("preemptor", "high", cpu="2"))
        c.apply(bystander("second"))
        c.wait("pod/preemptor", "Ready", timeout="20m")

    with Cluster(nodes=1, objects=[HIGH], node_template=QUIET) as c:
        report = c.faults.sweep(scenario, user=SCHEDULER)
    assert len(report.runs) >= 15
    assert all(run.met for run in report.runs)
    report.check()


GANG = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu}
spec: {selectors: [{cel: {expression: device.driver == 'gpu.example.com'}}]}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: gpus}
spec:
  driver: gpu.example.com
  pool: {name: gpus, generation: 1, resourceSliceCount: 1}
  allNodes: true
  devices: [{name: gpu-0}, {name: gpu-1}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: gpu}
spec: {spec: {devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu}}]}}}
---
apiVersion: scheduling.k8s.io/v1beta1
kind: PodGroup
metadata: {name: gang}
spec: {schedulingPolicy: {gang: {minCount: 2}}}
"""


# A watch that is behind by one event tells the last only when another follows.
BYSTANDERS = """
apiVersion: v1
kind: Pod
metadata: {name: gated}
spec:
  schedulingGates: [{name: example.com/never}]
  containers: [{name: c, image: i}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: bystander}
spec: {devices: {requests: []}}
"""


@pytest.mark.slow
def test_a_gang_gets_its_devices_whatever_fails_once() -> None:
    def member(name: str) -> dict[str, Any]:
        found = pod(name)
        found["spec"]["schedulingGroup"] = {"podGroupName": "gang"}
        found["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]
        return found

    def scenario(c: Cluster) -> None:
        c.apply(GANG)
        c.apply(member("one"))
        c.apply(member("two"))
        c.clock.advance("1m")
        c.apply(BYSTANDERS)
        for name in ("one", "two"):
            c.wait(f"pod/{name}", "Ready", timeout="20m")
        c.wait("podgroup/gang", "PodGroupInitiallyScheduled", timeout="20m")
        c.clock.advance("1m")
        c.client.delete("pod", "one")
        c.apply(pod("bystander"))
        c.clock.advance("10m")

    with Cluster(nodes=1, node_template=QUIET) as c:
        report = c.faults.sweep(scenario, user=SCHEDULER)
    assert len(report.runs) >= 15
    report.check()
