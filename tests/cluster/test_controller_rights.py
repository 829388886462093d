"""Controllers act as their own service accounts, and none ever wants more than upstream gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.controllers.certificates.asking import csr
from wherry.api.certificates.signers import KUBELET_CLIENT
from wherry.apiserver.bootstrap.controller_roles import CONTROLLERS as ROLES
from wherry.apiserver.bootstrap.roles import cluster_role_bindings, role_bindings
from wherry.apiserver.local import LocalTransport
from wherry.client.transport import JSON, WatchEvent
from wherry.cluster.assembly import controller_user, controller_users
from wherry.controllers import legacy_token_cleaner
from wherry.controllers.catalog import CONTROLLERS
from wherry.controllers.service_account_tokens import ServiceAccountTokens
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, later
from wherry.testing import Cluster

IN_NAMESPACES = {"bootstrap-signer", "token-cleaner"}
"""Accounts with Roles alone, in the namespaces of what they read (upstream's buildNamespaceRoles)."""
USERS = controller_users(CONTROLLERS)
TOKEN = "kubernetes.io/service-account-token"


class Recorder:
    """What the controllers asked for, and what they were refused."""

    def __init__(self) -> None:
        self.writers: set[str] = set()
        self.refused: list[str] = []

    def met(self, user: str, what: str, error: ApiError) -> None:
        if user in USERS and f'User "{user}" cannot' in error.message:
            self.refused.append(f"{user} {what}: {error.message}")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    call, watch = LocalTransport.call, LocalTransport.watch

    async def recorded_call(
        self: LocalTransport,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | list[Object] | None = None,
        content_type: str = JSON,
    ) -> Object:
        user = self._user.name
        try:
            answer = await call(self, method, path, query, body, content_type)
        except ApiError as error:
            found.met(user, f"{method} {path}", error)
            raise
        if method != "GET" and "/events" not in path:
            found.writers.add(user)
        return answer

    async def recorded_watch(
        self: LocalTransport, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[WatchEvent]:
        try:
            async for event in watch(self, path, query):
                yield event
        except ApiError as error:
            found.met(self._user.name, f"WATCH {path}", error)
            raise

    monkeypatch.setattr(LocalTransport, "call", recorded_call)
    monkeypatch.setattr(LocalTransport, "watch", recorded_watch)
    return found


def workload(kind: str, name: str, replicas: int, version: str = "apps/v1") -> Object:
    container = {"name": "c", "image": "nginx", "ports": [{"name": "http", "containerPort": 80}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector: Any = {"app": name} if version == "v1" else {"matchLabels": {"app": name}}
    spec = {"replicas": replicas, "selector": selector, "template": template}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "widgets", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
            }
        ],
    },
}


OBJECTS = """
apiVersion: v1
kind: ResourceQuota
metadata: {name: counts}
spec: {hard: {pods: "20", count/widgets.example.com: "3"}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: more}
spec: {cidrs: [10.9.0.0/24]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 4, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: v}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /tmp/v}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
---
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: robot, annotations: {kubernetes.io/service-account.name: robot}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: more, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations: [{expression: "object.metadata.name != 'never'"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  completions: 3
  template: {spec: {restartPolicy: Never, containers: [{name: pi, image: perl}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: brief}
spec:
  ttlSecondsAfterFinished: 60
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: hello}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Replace
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: scheduling.k8s.io/v1beta1
kind: PodGroup
metadata: {name: ring}
spec: {schedulingPolicy: {gang: {minCount: 3}}}
"""


CLAIMS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: any}
spec: {}
---
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: things}
spec:
  driver: things.example.com
  pool: {name: things, generation: 1, resourceSliceCount: 1}
  allNodes: true
  devices: [{name: thing}]
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: nothing}
spec: {spec: {devices: {requests: [{name: thing, exactly: {deviceClassName: any}}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: claims}
spec:
  resourceClaims: [{name: devices, resourceClaimTemplateName: nothing}]
  containers: [{name: c, image: busybox}]
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: outside}
subsets: [{addresses: [{ip: 192.0.2.1}], ports: [{port: 80}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cluster-info, namespace: kube-public}
data: {kubeconfig: "apiVersion: v1"}
---
apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata: {name: bootstrap-token-abcdef, namespace: kube-system}
stringData:
  token-id: abcdef
  token-secret: "0123456789abcdef"
  expiration: "2026-01-01T00:05:00Z"
  usage-bootstrap-signing: "true"
---
apiVersion: storagemigration.k8s.io/v1
kind: StorageVersionMigration
metadata: {name: all}
spec: {resource: {group: "", resource: serviceaccounts}}
"""
OLD_TOKENS = ["legacy-serviceaccount-token-cleaner", "service-account", "service-account-token"]
LONG_UNUSED = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: lists-it}
secrets: [{name: of-old}]
---
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: of-old, annotations: {kubernetes.io/service-account.name: lists-it}}
"""


def own_a_pod(c: Cluster) -> None:
    """A pod of a custom kind with a scale, which a budget counts and the garbage collector takes along."""
    meta = {"name": "w", "namespace": "default"}
    widget = c.client.create(
        {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"replicas": 1}}
    )
    owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": widget["metadata"]["uid"]}
    owned = {"name": "owned", "labels": {"app": "web"}, "ownerReferences": [{**owner, "controller": True}]}
    spec = {"containers": [{"name": "c", "image": "nginx"}]}
    c.apply({"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": spec})


def roll_a_stateful_set(c: Cluster) -> None:
    """One that is updated, and one whose claims change owners; pods and revisions are adopted."""
    c.apply(workload("StatefulSet", "db", 2))
    kept = workload("StatefulSet", "kept", 2)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kept["spec"] |= {
        "podManagementPolicy": "Parallel",
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"},
    }
    c.apply(kept)
    c.clock.advance("1m")
    c.client.patch("sts", "db", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    c.client.patch("sts", "db", {"spec": {"revisionHistoryLimit": 0}})
    c.client.patch("sts", "kept", {"spec": {"persistentVolumeClaimRetentionPolicy": None}})
    c.clock.advance("2m")
    c.client.patch("sts", "kept", {"spec": {"replicas": 1}})
    c.client.patch("pod", "db-0", {"metadata": {"labels": {"statefulset.kubernetes.io/pod-name": None}}})
    c.clock.advance("1m")
    c.client.delete("sts", "db", propagation="Orphan")
    c.apply(workload("StatefulSet", "db", 1))
    c.clock.advance("1m")


def roll_a_daemon_set(c: Cluster) -> None:
    """One that is updated and adopted, whose revision is double for a while."""
    daemons = workload("DaemonSet", "log", 1)
    del daemons["spec"]["replicas"]
    c.apply(daemons)
    c.clock.advance("1m")
    c.client.patch("ds", "log", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    c.client.patch("ds", "log", {"spec": {"revisionHistoryLimit": 0}})
    c.clock.advance("1m")
    present = max(c.client.list("controllerrevisions"), key=lambda revision: revision["revision"])
    twin = {"name": "twin", "namespace": "default", "labels": {"app": "log"}}
    c.client.create({**present, "metadata": twin, "revision": 9})
    c.clock.advance("1m")
    c.client.delete("ds", "log", propagation="Orphan")
    c.apply(daemons)
    c.clock.advance("1m")


def grow_old(c: Cluster) -> None:
    """Time in which an old token is turned off, then deleted."""
    c.apply(LONG_UNUSED)
    c.clock.advance("5d")
    assert [secret["metadata"]["name"] for secret in c.client.list("secrets", "default")] == []


def live_a_little(c: Cluster) -> None:
    """A life with something of every controller in it."""
    c.apply(WIDGETS)
    c.wait("crd/widgets.example.com", "Established")
    c.apply(OBJECTS)
    c.apply(workload("Deployment", "web", 3))
    c.apply(workload("ReplicationController", "old", 2, "v1"))
    c.apply(workload("Deployment", "web", 2), "shop")
    c.apply(CLAIMS, "shop")
    c.wait("deployment/web", "Available")
    own_a_pod(c)
    roll_a_stateful_set(c)
    c.client.create(csr(KUBELET_CLIENT))
    roll_a_daemon_set(c)
    c.clock.advance("5m")
    broken = {"taint": {"key": "broken", "effect": "NoExecute"}, "deviceSelector": {"pool": "things"}}
    rule = {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceTaintRule", "metadata": {"name": "r"}}
    c.client.create({**rule, "spec": broken})
    c.client.patch("deploy", "web", {"spec": {"template": {"metadata": {"labels": {"v": "2"}}}}})
    c.clock.advance("2m")
    lost = next(pod["spec"]["nodeName"] for pod in c.client.list("pods", "shop"))
    c.nodes.lose(lost)
    c.clock.advance("15m")
    c.client.delete("node", lost)
    c.clock.advance("5m")
    for kind, name, namespace in (
        ("namespace", "shop", ""),
        ("deploy", "web", "default"),
        ("rc", "old", "default"),
        ("sts", "db", "default"),
        ("sts", "kept", "default"),
        ("job", "pi", "default"),
        ("ds", "log", "default"),
        ("cronjob", "hello", "default"),
        ("widgets", "w", "default"),
        ("pvc", "data", "default"),
        ("pv", "v", ""),
        ("podgroup", "ring", "default"),
        ("secret", "robot", "default"),
        ("sa", "robot", "default"),
        ("svc", "web", "default"),
        ("crd", "widgets.example.com", ""),
    ):
        c.client.delete(kind, name, namespace)
    c.clock.advance("20m")


def test_every_account_has_a_role() -> None:
    assert {kind.account for kind in CONTROLLERS} - {"", *IN_NAMESPACES} <= set(ROLES)


def test_only_the_tokens_controller_acts_as_the_controller_manager() -> None:
    # It makes the accounts' tokens, so it cannot wait for one of its own (newServiceAccountTokenController).
    assert [kind.name for kind in CONTROLLERS if not kind.account] == [ServiceAccountTokens.name]


def test_an_account_has_its_own_role_and_no_other() -> None:
    bindings = [*cluster_role_bindings(), *role_bindings()]
    for account in sorted({kind.account for kind in CONTROLLERS} - {""}):
        found = [
            binding["roleRef"]["name"]
            for binding in bindings
            for subject in binding.get("subjects") or ()
            if subject["kind"] == "ServiceAccount" and subject["name"] == account
        ]
        assert set(found) == {f"system:controller:{account}"}
        assert len(found) == 1 or account in IN_NAMESPACES


def test_an_account_is_in_the_groups_of_its_kind() -> None:
    user = controller_user("deployment-controller")
    assert user.name == "system:serviceaccount:kube-system:deployment-controller"
    assert user.groups == (
        "system:serviceaccounts",
        "system:serviceaccounts:kube-system",
        "system:authenticated",
    )


def test_no_controller_wants_more_than_it_may(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    # A day stands for the year: the clean-up period is the only span the cleaner looks back.
    monkeypatch.setattr(legacy_token_cleaner, "later", lambda moment, s: later(moment, s / 365))
    with Cluster(nodes=4) as c:
        conflict = c.faults.refuse(409, "resourcequotas/status", verbs=["update"])  # it then looks again
        live_a_little(c)
        assert c.faults.met() == [(conflict, 1)]
        assert c.client.list("pods") == []
        managers = {
            entry["manager"]
            for account in c.client.list("sa")
            for entry in account["metadata"].get("managedFields") or ()
        }
    with Cluster(controllers=OLD_TOKENS, scheduler=False) as c:
        grow_old(c)
    assert recorder.refused == []
    assert USERS - recorder.writers == set(), "give these something to do in `live_a_little`"
    assert "deployment-controller" not in managers
