"""What people do to nodes and workloads by kubectl: cordon, drain, taint, autoscale, wait."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.controllers.kubectl import DAEMON_SET, Kubectl
from tests.timing import PATIENCE_S
from wherry.testing import Cluster

pytestmark = pytest.mark.slow  # some ten processes of kubectl each

WORK = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "nginx:1", resources: {requests: {cpu: 100m}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  minAvailable: 3
  selector: {matchLabels: {app: web}}
---
"""
BARE = """
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: "nginx:1"}]
  volumes: [{name: scratch, emptyDir: {}}]
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    found = Kubectl(cluster)
    found("apply", "-f", "-", stdin=WORK + DAEMON_SET)
    found("rollout", "status", "deployment/web", "--timeout=60s")
    found("rollout", "status", "ds/log", "--timeout=60s")
    found("wait", "pdb/web", "--for=jsonpath={.status.disruptionsAllowed}=1", "--timeout=60s")
    return found


def on(kubectl: Kubectl, node: str, app: str) -> list[str]:
    """The names of an application's pods on a node."""
    selector = ("-l", f"app={app}", "--field-selector", f"spec.nodeName={node}")
    return kubectl("get", "pods", *selector, "-o", "jsonpath={.items[*].metadata.name}").split()


def nodes(kubectl: Kubectl) -> list[str]:
    return kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()


def test_cordon(kubectl: Kubectl) -> None:
    first, second = nodes(kubectl)
    assert kubectl("cordon", first) == f"node/{first} cordoned\n"
    assert kubectl("cordon", first) == f"node/{first} already cordoned\n"
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", first)
    taints = json.loads(kubectl("get", "node", first, "-o", "json"))["spec"]["taints"]
    assert [(taint["key"], taint["effect"]) for taint in taints] == [
        ("node.kubernetes.io/unschedulable", "NoSchedule")
    ]
    before = set(on(kubectl, first, "web"))
    kubectl("scale", "deployment/web", "--replicas=8")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert set(on(kubectl, first, "web")) == before
    assert len(on(kubectl, second, "web")) == 8 - len(before)
    assert kubectl("uncordon", first) == f"node/{first} uncordoned\n"
    kubectl("wait", f"node/{first}", "--for=jsonpath={.spec.taints}=", "--timeout=1s", code=1)
    assert "taints" not in json.loads(kubectl("get", "node", first, "-o", "json"))["spec"]


def test_drain_keeps_to_the_budget_and_leaves_daemons(kubectl: Kubectl) -> None:
    first, second = nodes(kubectl)
    count = len(on(kubectl, first, "web"))
    assert count
    refused = kubectl("drain", first, "--timeout=20s", code=1)
    assert "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)" in refused
    said = kubectl("drain", first, "--ignore-daemonsets", "--timeout=60s")
    assert said.startswith(f"node/{first} already cordoned\n")
    assert said.count("evicting pod default/web-") >= count
    assert said.endswith(f"node/{first} drained\n")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert on(kubectl, first, "web") == []
    assert len(on(kubectl, second, "web")) == 4
    assert len(on(kubectl, first, "log")) == 1
    kubectl("uncordon", first)


def test_a_budget_that_allows_nothing_holds_a_drain(kubectl: Kubectl, cluster: Cluster) -> None:
    first, _ = nodes(kubectl)
    cluster.client.patch("pdb", "web", {"spec": {"minAvailable": 4}})
    kubectl("wait", "pdb/web", "--for=jsonpath={.status.disruptionsAllowed}=0", "--timeout=60s")
    before = on(kubectl, first, "web")
    refused = kubectl("drain", first, "--ignore-daemonsets", "--timeout=3s", code=1)
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused
    assert on(kubectl, first, "web") == before
    # who does not ask the budget need not wait for it
    said = kubectl("drain", first, "--ignore-daemonsets", "--disable-eviction", "--timeout=60s")
    assert said.endswith(f"node/{first} drained\n")
    assert on(kubectl, first, "web") == []


def test_drain_asks_before_it_ends_what_nobody_makes_again(kubectl: Kubectl) -> None:
    first, _ = nodes(kubectl)
    kubectl("apply", "-f", "-", stdin=BARE.replace("NODE", first))
    kubectl("wait", "pod/bare", "--for=condition=Ready", "--timeout=60s")
    refused = kubectl("drain", first, "--ignore-daemonsets", "--timeout=20s", code=1)
    assert "(use --delete-emptydir-data to override): default/bare" in refused
    scratch = ("--ignore-daemonsets", "--delete-emptydir-data")
    refused = kubectl("drain", first, *scratch, "--timeout=20s", code=1)
    assert "declare no controller (use --force to override): default/bare" in refused
    tried = kubectl("drain", first, *scratch, "--force", "--dry-run=server")
    assert "evicting pod default/bare (server dry run)" in tried
    kubectl("get", "pod", "bare")
    kubectl("drain", first, *scratch, "--force", "--timeout=60s")
    assert "NotFound" in kubectl("get", "pod", "bare", code=1)


def test_taints_drive_out_what_does_not_tolerate_them(kubectl: Kubectl, cluster: Cluster) -> None:
    first, second = nodes(kubectl)
    assert kubectl("taint", "node", first, "work=none:NoExecute") == f"node/{first} tainted\n"
    evicted = [pod for pod in kubectl.pods("web") if pod in on(kubectl, first, "web")]
    for pod in evicted:
        kubectl("wait", f"pod/{pod}", "--for=delete", "--timeout=60s")
    kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert on(kubectl, first, "web") == []
    assert len(on(kubectl, second, "web")) == 4
    assert on(kubectl, first, "log") == []
    assert any(event.reason == "TaintManagerEviction" for event in cluster.events())
    twice = kubectl("taint", "node", first, "work=none:NoExecute", code=1)
    assert (
        twice
        == f"error: node {first} already has work taint(s) with same effect(s) and --overwrite is false\n"
    )
    assert kubectl("taint", "node", first, "work-") == f"node/{first} untainted\n"
    kubectl("rollout", "status", "ds/log", "--timeout=60s")
    assert len(on(kubectl, first, "log")) == 1
    assert kubectl("taint", "node", first, "work-", code=1) == 'error: taint "work" not found\n'


def test_autoscale(kubectl: Kubectl) -> None:
    said = kubectl("autoscale", "deployment/web", "--min=5", "--max=7", "--cpu=80%")
    assert said == "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    # below the lower bound nobody needs to be asked how busy the pods are
    kubectl("wait", "deployment/web", "--for=jsonpath={.status.replicas}=5", "--timeout=60s")
    described = kubectl("describe", "hpa", "web")
    assert "Min replicas:" in described
    assert "SuccessfulRescale" in described
    assert "New size: 5; reason: Current number of replicas below Spec.MinReplicas" in described
    assert kubectl("autoscale", "deployment/web", "--max=7", code=1).startswith("error: failed to create")


def test_wait(kubectl: Kubectl) -> None:
    late = subprocess.Popen(
        kubectl.command("wait", "configmap/late", "--for=create", "--timeout=60s"), stdout=subprocess.PIPE
    )
    kubectl("create", "configmap", "late")
    out, _ = late.communicate(timeout=PATIENCE_S)
    assert out == b"configmap/late condition met\n"
    said = kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=60s")
    assert said == "deployment.apps/web condition met\n"
    ready = kubectl("wait", "pods", "-l", "app=web", "--for=condition=Ready", "--timeout=60s")
    assert ready.count(" condition met\n") == 4
    kubectl("delete", "deployment/web", "--wait=false")
    kubectl("wait", "pods", "-l", "app=web", "--for=delete", "--timeout=60s")
    assert kubectl.pods("web") == {}
    timed_out = kubectl("wait", "configmap/late", "--for=delete", "--timeout=1s", code=1)
    assert timed_out.endswith("error: timed out waiting for the condition on configmaps/late\n")
