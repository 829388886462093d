"""StatefulSets and DaemonSets as people use them: the real kubectl, rollouts and all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controllers.kubectl import DAEMON_SET, Kubectl
from wherry.testing import Cluster

pytestmark = pytest.mark.slow  # some thirty processes of kubectl each

SETS = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "nginx:1", ports: [{containerPort: 80}]}]
---
"""
STATUS = {
    "sts/web": "partitioned roll out complete: 2 new pods have been updated...\n",
    "ds/log": 'daemon set "log" successfully rolled out\n',
}
KINDS = {"sts/web": "statefulset.apps/web", "ds/log": "daemonset.apps/log"}


@pytest.fixture
def kubectl() -> Iterator[Kubectl]:
    with Cluster(nodes=2) as cluster:
        found = Kubectl(cluster)
        found("apply", "-f", "-", stdin=SETS + DAEMON_SET)
        yield found


@pytest.mark.parametrize("target", KINDS)
def test_rollouts(kubectl: Kubectl, target: str) -> None:
    app = target.partition("/")[2]

    def settled() -> set[str]:
        assert kubectl("rollout", "status", target, "--timeout=60s") == STATUS[target]
        return set(kubectl.pods(app).values())

    assert settled() == {"nginx:1"}
    kubectl("set", "image", target, "c=nginx:2")
    assert settled() == {"nginx:2"}
    assert kubectl.revisions(target) == ["1", "2"]
    shown = kubectl("rollout", "history", target, "--revision=1")
    assert f"{KINDS[target]} with revision #1" in shown
    assert "nginx:1" in shown
    # kubectl compares the bytes of a revision with what it makes of the template itself
    said = kubectl("rollout", "undo", target, "--to-revision=2")
    assert said == f"{KINDS[target]} skipped rollback (current template already matches revision 2)\n"
    assert kubectl("rollout", "undo", target) == f"{KINDS[target]} rolled back\n"
    assert settled() == {"nginx:1"}
    assert kubectl.revisions(target) == ["2", "3"]
    missing = kubectl("rollout", "undo", target, "--to-revision=9", code=1)
    assert missing.endswith("error: unable to find specified revision 9 in history\n")
    before = kubectl("get", "pods", "-l", f"app={app}", "-o", "jsonpath={.items[*].metadata.uid}").split()
    kubectl("rollout", "restart", target)
    settled()
    after = kubectl("get", "pods", "-l", f"app={app}", "-o", "jsonpath={.items[*].metadata.uid}").split()
    assert set(before).isdisjoint(after)
    assert kubectl.revisions(target) == ["2", "3", "4"]


@pytest.mark.parametrize("target", KINDS)
def test_pods_are_left_and_adopted(kubectl: Kubectl, target: str) -> None:
    app = target.partition("/")[2]
    kubectl("rollout", "status", target, "--timeout=60s")
    kubectl("wait", "pods", "-l", f"app={app}", "--for=condition=Ready", "--timeout=60s")
    before = kubectl.pods(app)
    kubectl("delete", target, "--cascade=orphan")
    assert kubectl.pods(app) == before
    kubectl("apply", "-f", "-", stdin=SETS + DAEMON_SET)
    kubectl("rollout", "status", target, "--timeout=60s")
    assert kubectl.pods(app) == before
    assert kubectl.revisions(target) == ["1"]
    kubectl("delete", target, "--cascade=foreground", "--timeout=60s")
    assert kubectl.pods(app) == {}
    assert kubectl("get", "controllerrevisions", "-l", f"app={app}", "-o", "name") == ""


def test_scaling(kubectl: Kubectl) -> None:
    kubectl("scale", "sts/web", "--replicas=4")
    kubectl("rollout", "status", "sts/web", "--timeout=60s")
    assert [*kubectl.pods("web")] == ["web-0", "web-1", "web-2", "web-3"]
    refused = kubectl("scale", "sts/web", "--current-replicas=3", "--replicas=1", code=1)
    assert refused == "error: Expected replicas to be 3, was 4\n"
    kubectl("scale", "sts/web", "--replicas=1")
    kubectl("wait", "pods", "web-1", "--for=delete", "--timeout=60s")
    assert [*kubectl.pods("web")] == ["web-0"]
    described = kubectl("describe", "sts", "web")
    assert "delete Pod web-1 in StatefulSet web successful" in described
    # a DaemonSet has no size of its own
    assert "the server could not find the requested resource" in kubectl(
        "scale", "ds/log", "--replicas=1", code=1
    )
