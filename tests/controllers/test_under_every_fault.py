"""Every controller comes to the same end whatever fails once on the way, and wherever it is killed.

Those with files of their own for it (`ELSEWHERE`) are not among these. Each scenario is short: each of a
controller's writes, and each watch it goes by, is met by several faults, and each fault is a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.controllers.bootstrap.secrets import token_secret
from tests.controllers.certificates.asking import csr
from tests.quiet_nodes import QUIET
from wherry.api.certificates.signers import KUBELET_CLIENT
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.cluster.assembly import controller_user
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.garbage.collector import GarbageCollector
from wherry.hollow.machines import NodeTemplate
from wherry.objects.meta import Object
from wherry.testing import Cluster
from wherry.testing.faults.fault import OF_WATCHES, What
from wherry.testing.faults.sweep import faults_for
from wherry.testing.settings import NODES

ELSEWHERE = {
    *("statefulset", "daemonset", "job", "cronjob", "resourceclaim-controller"),
    # It looks once a day, and nothing it does takes two steps: see test_legacy_token_cleaner.py.
    "legacy-serviceaccount-token-cleaner",
}


ENDS = """
apiVersion: hollow.wherry.dev/v1
kind: Outcome
metadata: {name: ends}
spec: {completesAfter: 5s}
"""


def make(kind: str, name: str, api_version: str = "v1", **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


LABELS = {"app": "web"}
TEMPLATE: Object = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SPEC: Object = {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
PORTS = [{"port": 80, "targetPort": 80}]
NEWER = {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}}


def roll(c: Cluster) -> None:
    c.apply(make("Deployment", "web", "apps/v1", spec=SPEC))
    c.clock.advance("1m")
    c.client.patch("deploy", "web", NEWER)
    c.clock.advance("3m")


def replicate(kind: str, api_version: str) -> Callable[[Cluster], None]:
    selector: Any = LABELS if kind == "ReplicationController" else SPEC["selector"]

    def scenario(c: Cluster) -> None:
        orphan = make("Pod", "orphan", spec=TEMPLATE["spec"])
        c.client.create({**orphan, "metadata": {**orphan["metadata"], "labels": LABELS}})
        c.apply(make(kind, "web", api_version, spec={**SPEC, "selector": selector, "replicas": 3}))
        c.clock.advance("1m")
        c.client.patch(kind.lower(), "web", {"spec": {"replicas": 0}})  # of one left, which is left to chance
        c.clock.advance("2m")

    return scenario


def serve(c: Cluster) -> None:
    c.apply(make("Service", "web", spec={"selector": LABELS, "ports": PORTS}))
    c.apply(make("ReplicaSet", "web", "apps/v1", spec=SPEC))
    c.clock.advance("1m")
    c.client.patch("rs", "web", {"spec": {"replicas": 1}})
    c.clock.advance("1m")
    c.client.patch("svc", "web", {"spec": {"ports": [{"port": 81, "targetPort": 81}]}})
    c.clock.advance("1m")


def mirror(c: Cluster) -> None:
    for name in ("out", "gone"):
        c.apply(make("Service", name, spec={"ports": PORTS}))
    c.apply(make("Endpoints", "out", subsets=[{"addresses": [{"ip": "192.0.2.1"}], "ports": PORTS[:0]}]))
    c.clock.advance("10s")
    c.client.patch("endpoints", "out", {"subsets": [{"addresses": [{"ip": "192.0.2.2"}]}]})
    c.clock.advance("10s")
    c.apply(make("Endpoints", "gone", subsets=[{"addresses": [{"ip": "192.0.2.3"}]}]))
    c.clock.advance("10s")
    c.client.delete("endpoints", "gone")
    c.clock.advance("10s")


def lose_a_node(c: Cluster) -> None:
    pod = make("Pod", "p", spec={**TEMPLATE["spec"], "nodeName": "node-1"})
    c.clock.advance("5s")
    c.client.create(pod)
    c.clock.advance("10s")
    c.nodes.lose("node-1")
    c.clock.advance("10m")
    c.client.delete("node", "node-1")
    c.clock.advance("3m")


def be_full(c: Cluster) -> None:
    c.apply(make("ResourceQuota", "q", spec={"hard": {"pods": "3", "count/configmaps": "9"}}))
    for number in range(2):
        c.client.create(make("ConfigMap", f"c{number}"))
    c.clock.advance("10s")
    c.client.delete("configmap", "c0")
    c.clock.advance("6m")


def protect(c: Cluster) -> None:
    c.apply(make("PodDisruptionBudget", "b", "policy/v1", spec={"maxUnavailable": 1, **only_selector()}))
    c.apply(make("ReplicaSet", "web", "apps/v1", spec=SPEC))
    c.clock.advance("30s")
    c.client.patch("pdb", "b", {"spec": {"maxUnavailable": None, "minAvailable": 2}})
    c.clock.advance("30s")


def only_selector() -> Object:
    return {"selector": SPEC["selector"]}


def end_a_namespace(c: Cluster) -> None:
    c.client.create(make("Namespace", "shop"))
    c.clock.advance("2s")
    c.client.create({**make("ConfigMap", "c"), "metadata": {"name": "c", "namespace": "shop"}})
    c.client.delete("namespace", "shop")
    c.clock.advance("2m")


def collect(c: Cluster) -> None:
    c.clock.advance("3s")
    owner = c.client.create(make("ConfigMap", "owner"))
    kept = c.client.create(make("ConfigMap", "kept"))
    for name, of in (("first", [owner]), ("second", [owner, kept])):
        refs = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": one["metadata"]["name"],
                "uid": one["metadata"]["uid"],
                "blockOwnerDeletion": True,
            }
            for one in of
        ]
        dependent = make("ConfigMap", name)
        c.client.create({**dependent, "metadata": {**dependent["metadata"], "ownerReferences": refs}})
    c.clock.advance("3s")
    c.client.delete("configmap", "owner", propagation="Foreground")
    c.clock.advance("2m")


def autoscale(c: Cluster) -> None:
    c.apply(make("ReplicaSet", "web", "apps/v1", spec={**SPEC, "replicas": 1}))
    target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web"}
    spec = {"minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": target}
    c.apply(make("HorizontalPodAutoscaler", "web", "autoscaling/v2", spec=spec))
    c.clock.advance("1m")
    c.faults.release()  # who never hears of it until the end has not scaled it before it was none
    c.clock.advance("1m")
    for _ in range(MOST_PER_CALL):  # what is said of scaling, once, is said again
        c.client.patch("rs", "web", {"spec": {"replicas": 1}})
        c.clock.advance("1m")
    c.client.patch("rs", "web", {"spec": {"replicas": 0}})
    c.clock.advance("1m")


def have_accounts(c: Cluster) -> None:
    c.client.create(make("Namespace", "shop"))
    c.clock.advance("5s")
    c.client.create(make("ServiceAccount", "robot"))
    meta = {"name": "robot", "annotations": {"kubernetes.io/service-account.name": "robot"}}
    c.client.create(
        {**make("Secret", "robot"), "metadata": meta, "type": "kubernetes.io/service-account-token"}
    )
    c.clock.advance("10s")
    c.client.delete("serviceaccount", "robot")
    c.clock.advance("1m")


def ask_for_certificates(c: Cluster) -> None:
    c.client.create(csr(KUBELET_CLIENT))
    c.clock.advance("2h")


def finish_a_job(c: Cluster) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": TEMPLATE["spec"]["containers"]}}
    c.apply(make("Job", "j", "batch/v1", spec={"ttlSecondsAfterFinished": 30, "template": template}))
    c.clock.advance("3m")


def have_tokens(c: Cluster) -> None:
    info = {"name": "cluster-info", "namespace": "kube-public"}
    c.client.create({**make("ConfigMap", ""), "metadata": info, "data": {"kubeconfig": "x"}})
    for token_id, more in (("aaaaaa", {"expiration": "2026-01-01T00:01:00Z"}), ("bbbbbb", {})):
        c.client.create({"apiVersion": "v1", "kind": "Secret", **token_secret(token_id, **more)})
    c.clock.advance("2m")


def keep_volumes(c: Cluster) -> None:
    size = {"storage": "1Gi"}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": size}}
    c.apply(make("PersistentVolumeClaim", "data", spec=claim))
    volume = {"accessModes": ["ReadWriteOnce"], "capacity": size, "hostPath": {"path": "/x"}}
    c.apply(make("PersistentVolume", "v", spec=volume))
    c.clock.advance("5s")
    c.client.delete("pvc", "data", "default")
    c.client.delete("pv", "v")
    c.clock.advance("1m")


def keep_a_group(c: Cluster) -> None:
    spec: Object = {"schedulingPolicy": {"basic": {}}}
    c.client.create(make("PodGroup", "g", POD_GROUPS.api_version, spec=spec))
    c.clock.advance("5s")
    c.client.delete("podgroup", "g", "default")
    c.clock.advance("1m")


def grant(c: Cluster) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    role = make("ClusterRole", "more", "rbac.authorization.k8s.io/v1", rules=[rule])
    role["metadata"]["labels"] = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    c.client.create(role)
    c.clock.advance("10s")


def say_what_policies_mean(c: Cluster) -> None:
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    ]
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "object.metadata.name != 'never'"}],
    }
    c.client.create(make("ValidatingAdmissionPolicy", "p", "admissionregistration.k8s.io/v1", spec=spec))
    c.clock.advance("10s")


def migrate(c: Cluster) -> None:
    c.client.create(make("ConfigMap", "c"))
    spec = {"resource": {"group": "", "resource": "configmaps"}}
    c.client.create(make("StorageVersionMigration", "m", "storagemigration.k8s.io/v1", spec=spec))
    c.clock.advance("3m")


def break_a_device(c: Cluster) -> None:
    c.apply(make("DeviceClass", "gpus", "resource.k8s.io/v1", spec={}))
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    shelf = {"driver": "d.example.com", "nodeName": "node-0", "pool": pool, "devices": [{"name": "gpu-0"}]}
    c.client.create(make("ResourceSlice", "s", "resource.k8s.io/v1", spec=shelf))
    asked = {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpus"}}]}
    c.apply(make("ResourceClaim", "c", "resource.k8s.io/v1", spec={"devices": asked}))
    claims = [{"name": "gpu", "resourceClaimName": "c"}]
    c.clock.advance("10s")
    c.client.create(make("Pod", "p", spec={**TEMPLATE["spec"], "resourceClaims": claims}))
    c.clock.advance("30s")
    assert c.client.get("pod", "p", "default")["status"]["phase"] == "Running"
    found = c.client.get("resourceslice", "s")
    found["spec"]["devices"] = [{"name": "gpu-0", "taints": [{"key": "broken", "effect": "NoExecute"}]}]
    c.client.update(found)
    c.clock.advance("2m")


def add_a_node(c: Cluster) -> None:
    c.nodes.add(1)
    c.clock.advance("1m")


def use_a_range(c: Cluster) -> None:
    c.apply(make("ServiceCIDR", "more", "networking.k8s.io/v1", spec={"cidrs": ["10.9.0.0/28"]}))
    c.clock.advance("10s")
    c.apply(make("Service", "web", spec={"clusterIP": "10.9.0.3", "ports": PORTS}))
    c.client.delete("servicecidr", "more")
    c.clock.advance("1m")
    c.client.delete("service", "web")
    c.clock.advance("1m")


SELDOM = replace(NODES, lease_s=120)
"""Those that may be lost: that is noticed a while later than by default."""
KINDS = {kind.name: kind for kind in CONTROLLERS}
MANAGER = controller_user("").name
MOST_PER_CALL = 2


@dataclass(frozen=True, slots=True)
class Case:
    """`controllers` are what is tried, `beside` what has to run with them."""

    controllers: tuple[str, ...]
    scenario: Callable[[Cluster], None]
    beside: tuple[str, ...] = ()
    nodes: int = 0
    outcomes: tuple[str, ...] = ()
    template: NodeTemplate = QUIET
    settling: str = "10m"

    @property
    def users(self) -> list[str]:
        """Who the controllers write as, and who watches for them all."""
        return [*sorted({controller_user(KINDS[name].account).name for name in self.controllers}), MANAGER]

    @property
    def watched(self) -> set[str]:
        """The plurals of what the controllers watch; of one that watches all, of what it is tried with."""
        kinds = [KINDS[name] for name in self.controllers if KINDS[name] is not GarbageCollector]
        declared = {resource.plural for kind in kinds for resource in (kind.primary, *kind.watches)}
        return declared or {"configmaps"}


ACCOUNTS = ("service-account", "node")
"""Without them no pod is let in, and none placed."""
SETS = (*ACCOUNTS, "replicaset")
CASES = (
    Case(("deployment",), roll, SETS, 1),
    Case(("replicaset",), replicate("ReplicaSet", "apps/v1"), ACCOUNTS, 1),
    Case(("replication",), replicate("ReplicationController", "v1"), ACCOUNTS, 1),
    Case(("endpoint",), serve, SETS, 1),
    Case(("endpointslice",), serve, SETS, 1),
    Case(("endpointslice-mirroring",), mirror),
    Case(
        ("node", "taint-eviction", "node-ipam"),
        lose_a_node,
        ("service-account", "pod-garbage-collector"),
        2,
        template=SELDOM,
    ),
    Case(("pod-garbage-collector",), lose_a_node, (*ACCOUNTS, "taint-eviction"), 2, template=SELDOM),
    Case(("ttl",), add_a_node, (), 1),
    Case(("device-taint-eviction-controller",), break_a_device, (*ACCOUNTS, "resourceclaim"), 1),
    Case(("resourcequota-controller",), be_full),
    Case(("disruption",), protect, SETS, 1),
    Case(("namespace",), end_a_namespace),
    Case(("generic-garbage-collector",), collect),
    Case(("horizontal-pod-autoscaler",), autoscale, SETS, 1),
    Case(("service-account", "root-ca-cert-publisher", "service-account-token"), have_accounts),
    Case(
        (
            "certificatesigningrequest-approving",
            "certificatesigningrequest-signing",
            "certificatesigningrequest-cleaner",
        ),
        ask_for_certificates,
        settling="2h",  # they are cleaned up once an hour
    ),
    Case(("ttl-after-finished",), finish_a_job, (*ACCOUNTS, "job"), 1, (ENDS,)),
    Case(("bootstrap-signer", "token-cleaner"), have_tokens),
    Case(
        ("persistentvolumeclaim-protection-controller", "persistentvolume-protection-controller"),
        keep_volumes,
    ),
    Case(("podgroup-protection-controller",), keep_a_group),
    Case(("clusterrole-aggregation",), grant),
    Case(("validatingadmissionpolicy-status",), say_what_policies_mean),
    Case(("storage-version-migrator",), migrate),
    Case(("service-cidr-controller",), use_a_range),
)


def test_no_controller_is_left_out() -> None:
    tried = {name for case in CASES for name in case.controllers}
    assert set(KINDS) == tried | ELSEWHERE
    assert not tried & ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.controllers[0])
def test_the_same_end_under_every_fault(case: Case) -> None:
    running = sorted({*case.controllers, *case.beside})
    with Cluster(
        nodes=case.nodes,
        controllers=running,
        scheduler=bool(case.nodes),
        outcomes=case.outcomes,
        node_template=case.template,
    ) as c:
        start = c.snapshot()
        with start.fork(faults=()) as fork:
            case.scenario(fork)
            seen = fork.faults.seen()
        faults = [
            fault
            for fault in faults_for(seen, case.users, MOST_PER_CALL)
            if fault.verbs != ("watch",) or (fault.what in OF_WATCHES and fault.resource in case.watched)
        ]
        report = c.faults.sweep(case.scenario, faults=faults, settling=case.settling)
    report.check()  # that each fault met something, too
    met = {(run.fault.what, run.fault.resource) for run in report.runs}
    assert met >= {(what, resource) for what in OF_WATCHES for resource in case.watched}
    writers = {run.fault.user for run in report.runs if run.fault.what is What.CRASHED}
    assert writers >= {*case.users} - {MANAGER}
