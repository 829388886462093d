"""Jobs come to the same end, and count the same, whatever fails once and wherever they are killed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.quiet_nodes import QUIET
from wherry.testing import Cluster
from wherry.testing.faults.fault import What

USER = "system:serviceaccount:kube-system:job-controller"
CONTROLLERS = ["service-account", "node", "job", "pod-garbage-collector", "generic-garbage-collector"]
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {{name: j}}
spec:
  {spec}
  template:
    metadata: {{labels: {{app: j}}}}
    spec: {{restartPolicy: Never, containers: [{{name: c, image: busybox}}]}}
"""
FAILS_FIRST = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: fails-first}
spec:
  pods: {matchAnnotations: {batch.kubernetes.io/job-index-failure-count: "0"}}
  exits: {code: 3, after: 2s}
"""
RUNS = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: runs}
spec: {completesAfter: 30s}
"""
PER_INDEX = "{completionMode: Indexed, completions: 3, parallelism: 3, backoffLimitPerIndex: 1}"
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "completes": ("{completions: 3, parallelism: 2}", RUNS, {"succeeded": 3}),
    "per index": (PER_INDEX, FAILS_FIRST, {"succeeded": 3, "failed": 3, "completedIndexes": "0-2"}),
    "deadline": ("{completions: 2, parallelism: 2, activeDeadlineSeconds: 10}", RUNS, {"failed": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_same_end_under_every_fault(name: str) -> None:
    spec, outcome, counted = CASES[name]

    def scenario(c: Cluster) -> None:
        c.apply(JOB.format(spec=spec.strip("{}").replace(", ", "\n  ")))
        c.clock.advance("3m")
        status = c.client.get("job", "j")["status"]
        assert {key: status.get(key) for key in counted} == counted

    with Cluster(nodes=1, controllers=CONTROLLERS, outcomes=[outcome], node_template=QUIET) as c:
        report = c.faults.sweep(scenario, user=USER)
    assert {run.fault.what for run in report.runs if run.met} >= {What.REFUSED, What.UNANSWERED, What.CRASHED}
    report.check()


@pytest.mark.slow
def test_suspending_under_every_fault() -> None:
    def scenario(c: Cluster) -> None:
        c.apply(JOB.format(spec="completions: 2\n  parallelism: 2"))
        c.clock.advance("10s")
        c.client.patch("job", "j", {"spec": {"suspend": True}})
        c.clock.advance("2m")
        assert c.client.list("pods", "default") == []
        c.client.patch("job", "j", {"spec": {"suspend": False}})
        c.clock.advance("3m")
        assert c.client.get("job", "j")["status"]["succeeded"] == 2

    with Cluster(nodes=1, controllers=CONTROLLERS, outcomes=[RUNS], node_template=QUIET) as c:
        c.faults.sweep(scenario, user=USER).check()
