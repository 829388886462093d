"""Each pod has one claim, and none is left behind, wherever the controller fails or is killed."""

from __future__ import annotations

import pytest

from tests.quiet_nodes import QUIET
from wherry.testing import Cluster
from wherry.testing.faults.fault import What

USER = "system:serviceaccount:kube-system:resource-claim-controller"
PODS = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: none}
spec: {spec: {devices: {requests: []}}}
---
apiVersion: v1
kind: Pod
metadata: {name: stays}
spec:
  resourceClaims: [{name: devices, resourceClaimTemplateName: none}]
  containers: [{name: c, image: i}]
---
apiVersion: v1
kind: Pod
metadata: {name: ends}
spec:
  activeDeadlineSeconds: 30
  resourceClaims:
  - {name: devices, resourceClaimTemplateName: none}
  - {name: more, resourceClaimTemplateName: none}
  containers: [{name: c, image: i}]
"""


@pytest.mark.slow
def test_the_same_end_under_every_fault() -> None:
    def scenario(c: Cluster) -> None:
        c.apply(PODS)
        c.clock.advance("2m")
        c.client.delete("pod", "ends")
        c.clock.advance("2m")

    controllers = ["service-account", "node", "resourceclaim", "generic-garbage-collector"]
    with Cluster(nodes=1, controllers=controllers, node_template=QUIET) as c:
        report = c.faults.sweep(scenario, user=USER)
    assert {run.fault.what for run in report.runs if run.met} >= {What.REFUSED, What.UNANSWERED, What.CRASHED}
    report.check()
