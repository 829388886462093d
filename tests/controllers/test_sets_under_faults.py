"""StatefulSets and DaemonSets come to the same end whatever fails on the way."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from tests.quiet_nodes import QUIET
from wherry.objects.meta import Object, is_deleting, name_of
from wherry.testing import Cluster

STATEFUL_SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 2
  serviceName: web
  podManagementPolicy: POLICY
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: i}]}
"""
DAEMON_SET = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: log}
spec:
  selector: {matchLabels: {app: log}}
  template:
    metadata: {labels: {app: log}}
    spec: {containers: [{name: c, image: i}]}
"""
ALL = ("system:kube-controller-manager", "system:serviceaccount:kube-system:*")
"""Who writes for controllers, and who watches for them; the scheduler has tests of its own."""
CLAIMS = """
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Delete}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
NEWER = {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}}


def live_of_a_stateful_set(policy: str, c: Cluster) -> None:
    manifest = STATEFUL_SET.replace("POLICY", policy)
    c.apply(manifest if policy == "OrderedReady" else manifest.rstrip() + CLAIMS)
    c.clock.advance("2m")
    c.faults.release()  # who has not heard of the first revision by the second counts from 1, as upstream
    c.client.patch("sts", "web", NEWER)
    c.clock.advance("2m")
    c.client.patch("sts", "web", {"spec": {"replicas": 1}})
    c.clock.advance("5m")


def live_of_a_daemon_set(c: Cluster) -> None:
    c.apply(DAEMON_SET)
    c.clock.advance("2m")
    c.client.patch("ds", "log", NEWER)
    c.clock.advance("2m")
    c.nodes.add(1)
    c.clock.advance("5m")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_a_stateful_set(policy: str) -> None:
    with Cluster(nodes=1, controllers=["service-account", "node", "statefulset"], node_template=QUIET) as c:
        report = c.faults.sweep(partial(live_of_a_stateful_set, policy), user=ALL)
    assert len(report.runs) > 20
    report.check()


@pytest.mark.slow
def test_a_daemon_set() -> None:
    with Cluster(nodes=2, controllers=["service-account", "daemonset", "node"], node_template=QUIET) as c:
        report = c.faults.sweep(live_of_a_daemon_set, user=ALL)
    assert len(report.runs) > 20
    report.check()


def pods(c: Cluster) -> list[Object]:
    return [pod for pod in c.client.list("pods", "default") if not is_deleting(pod)]


def quota(pods: int) -> Object:
    spec = {"hard": {"pods": str(pods)}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": spec}


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_two_billion_replicas_under_a_quota(policy: str) -> None:
    with Cluster(nodes=1) as c:
        c.apply(quota(3))
        c.clock.advance("1s")
        c.apply(STATEFUL_SET.replace("POLICY", policy))
        c.client.patch("sts", "web", {"spec": {"replicas": 2**31 - 1}})
        c.clock.advance("10m")
        assert sorted(map(name_of, pods(c))) == ["web-0", "web-1", "web-2"]
        said = [line for line in c.events() if line.reason == "FailedCreate"]
        assert (
            'create Pod web-3 in StatefulSet web failed error: pods "web-3" is forbidden: exceeded quota'
            in (said[-1].message)
        )
        assert len(said) < 20
        # more room, and it goes on where it was
        c.apply(quota(4))
        c.clock.advance("20m")
        assert len(pods(c)) == 4
        assert c.client.get("sts", "web")["status"]["replicas"] == 4


def test_a_daemon_set_under_a_quota_that_grows() -> None:
    with Cluster(nodes=5) as c:
        c.apply(quota(2))
        c.clock.advance("1s")
        c.apply(DAEMON_SET)
        c.clock.advance("1m")
        assert len(pods(c)) == 2
        status = c.client.get("ds", "log")["status"]
        assert (status["desiredNumberScheduled"], status["currentNumberScheduled"]) == (5, 2)
        c.apply(quota(9))
        c.clock.advance("20m")
        assert len({pod["spec"]["nodeName"] for pod in pods(c)}) == 5


HOOK = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "broken"},
    "webhooks": [
        {
            "name": "broken.example.org",
            "clientConfig": {"url": "https://127.0.0.1:9/"},
            "rules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ],
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }
    ],
}


def test_a_webhook_that_breaks_in_between() -> None:
    with Cluster(nodes=3) as c:
        c.apply(STATEFUL_SET.replace("POLICY", "OrderedReady"))
        c.apply(DAEMON_SET)
        c.clock.advance("10s")
        c.apply(HOOK)
        c.client.patch("sts", "web", {"spec": {"replicas": 4}})
        c.nodes.add(1)
        c.clock.advance("5m")
        assert len(pods(c)) == 2 + 3
        said = [line for line in c.events() if line.reason == "FailedCreate"]
        assert {line.message.partition(":")[0] for line in said} == {
            "create Pod web-2 in StatefulSet web failed error",
            "Error creating",
        }
        assert all('failed calling webhook "broken.example.org"' in line.message for line in said)
        c.client.delete("validatingwebhookconfigurations", "broken")
        c.clock.advance("20m")
        assert len(pods(c)) == 4 + 4


def test_of_two_of_one_selector_each_keeps_its_own() -> None:
    with Cluster(nodes=2) as c:
        for manifest in (DAEMON_SET, DAEMON_SET.replace("name: log}\nspec", "name: twin}\nspec")):
            c.apply(manifest)
        c.apply(STATEFUL_SET.replace("POLICY", "Parallel").replace("app: web", "app: log"))
        c.clock.advance("5m")
        owners = Counter(pod["metadata"]["ownerReferences"][0]["name"] for pod in pods(c))
        assert owners == {"log": 2, "twin": 2, "web": 2}
        before = len(c.client.list("events"))
        c.clock.advance("30m")
        assert len(c.client.list("events")) == before
