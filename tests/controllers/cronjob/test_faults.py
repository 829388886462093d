"""CronJobs start each job once and keep as many as they should, wherever they fail or are killed."""

from __future__ import annotations

import pytest

from tests.quiet_nodes import QUIET
from wherry.testing import Cluster
from wherry.testing.faults.fault import What

USER = "system:serviceaccount:kube-system:cronjob-controller"
HELLO = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Replace
  successfulJobsHistoryLimit: 1
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: OnFailure, containers: [{name: hello, image: busybox}]}
"""
SLOW = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: slow}
spec: {pods: {names: ["hello-29453763-*"]}, completesAfter: 90s}
"""


@pytest.mark.slow
def test_the_same_end_under_every_fault() -> None:
    def scenario(c: Cluster) -> None:
        c.apply(HELLO)
        c.clock.advance("5m30s")
        c.client.patch("cronjob", "hello", {"spec": {"suspend": True}})
        c.clock.advance("2m")

    controllers = ["service-account", "node", "job", "cronjob", "generic-garbage-collector"]
    with Cluster(nodes=1, controllers=controllers, outcomes=[SLOW], node_template=QUIET) as c:
        report = c.faults.sweep(scenario, user=USER)
    assert {run.fault.what for run in report.runs if run.met} >= {What.REFUSED, What.UNANSWERED, What.CRASHED}
    report.check()
