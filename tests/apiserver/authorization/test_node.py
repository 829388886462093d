"""What a node may do, kind by kind: what its pods need, what names it, and upstream's rules for all nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.authorization.self_subject_rules_reviews import SELF_SUBJECT_RULES_REVIEWS
from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS
from wherry.apiserver.bootstrap.roles import cluster_roles
from wherry.apiserver.request import request_info
from wherry.apiserver.user import AUTHENTICATED, NODES_GROUP, User
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import name_of

NODE = User("system:node:n1", (NODES_GROUP, AUTHENTICATED))
CORE, LEASES = "/api/v1/namespaces/default", "/apis/coordination.k8s.io/v1/namespaces"
CERTIFICATES, DEVICES = "/apis/certificates.k8s.io/v1", "/apis/resource.k8s.io/v1"
STORAGE = "/apis/storage.k8s.io/v1"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A server with one of everything that is of node n1, and one that is of n2."""
    async with running(FakeClock(), listens=False) as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        for node in ("n1", "n2"):
            await rig.admin.create(NODES, {"metadata": {"name": node}})
            claim = {"name": "v", "persistentVolumeClaim": {"claimName": f"c-{node}"}}
            await rig.admin.create(PODS, pod(f"p-{node}", nodeName=node, volumes=[claim]))
            bound = {"namespace": "default", "name": f"c-{node}", "kind": "PersistentVolumeClaim"}
            volume = {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/data"},
                "claimRef": bound,
            }
            await rig.admin.create(PERSISTENT_VOLUMES, {"metadata": {"name": f"v-{node}"}, "spec": volume})
            attached = {"attacher": "d", "nodeName": node, "source": {"persistentVolumeName": f"v-{node}"}}
            await rig.admin.create(VOLUME_ATTACHMENTS, {"metadata": {"name": f"a-{node}"}, "spec": attached})
            pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
            devices = {"driver": "d.example", "nodeName": node, "pool": pool}
            await rig.admin.create(RESOURCE_SLICES, {"metadata": {"name": f"s-{node}"}, "spec": devices})
        yield rig


def of(node: str) -> dict[str, str]:
    return {"fieldSelector": f"spec.nodeName={node}"}


NOT_RELATED = "no relationship found between node 'n1' and this object"
ASKED: list[tuple[str, str, Mapping[str, str], str | None]] = [
    # None: allowed; "": refused without a reason
    ("GET", "/api/v1/persistentvolumes/v-n1", {}, None),
    ("GET", "/api/v1/persistentvolumes/v-n2", {}, NOT_RELATED),
    ("GET", "/api/v1/persistentvolumes", {}, "can only get individual resources of this type"),
    ("DELETE", "/api/v1/persistentvolumes/v-n1", {}, "can only get individual resources of this type"),
    ("GET", f"{STORAGE}/volumeattachments/a-n1", {}, None),
    ("GET", f"{STORAGE}/volumeattachments/a-n2", {}, NOT_RELATED),
    ("GET", f"{STORAGE}/volumeattachments/a-n1/status", {}, "cannot get subresource"),
    ("GET", f"{CORE}/persistentvolumeclaims/c-n1", {}, None),
    ("GET", f"{CORE}/persistentvolumeclaims/c-n2", {}, NOT_RELATED),
    ("PATCH", f"{CORE}/persistentvolumeclaims/c-n1/status", {}, None),
    ("PATCH", f"{CORE}/persistentvolumeclaims/c-n2/status", {}, NOT_RELATED),
    ("GET", f"{CORE}/serviceaccounts/default", {}, None),
    ("GET", f"{CORE}/serviceaccounts/other", {}, NOT_RELATED),
    ("POST", f"{CORE}/serviceaccounts/default/token", {}, None),
    (
        "DELETE",
        f"{CORE}/serviceaccounts/default",
        {},
        "can only create tokens for individual service accounts",
    ),
    ("GET", f"{CORE}/secrets/s/any", {}, "cannot read subresource"),
    ("PUT", f"{CORE}/secrets/s", {}, "can only read resources of this type"),
    ("GET", f"{DEVICES}/resourceslices/s-n1", {}, None),
    ("PUT", f"{DEVICES}/resourceslices/s-n2", {}, NOT_RELATED),
    ("POST", f"{DEVICES}/resourceslices", {}, None),
    ("GET", f"{DEVICES}/resourceslices", of("n1"), None),
    ("DELETE", f"{DEVICES}/resourceslices", of("n1"), None),
    (
        "DELETE",
        f"{DEVICES}/resourceslices",
        of("n2"),
        "can only list/watch/deletecollection resourceslices with nodeName field selector",
    ),
    (
        "GET",
        f"{DEVICES}/namespaces/default/resourceclaims",
        {},
        "can only get individual resources of this type",
    ),
    ("POST", f"{CERTIFICATES}/namespaces/default/podcertificaterequests", {}, None),
    ("GET", f"{CERTIFICATES}/podcertificaterequests", of("n1"), None),
    (
        "GET",
        f"{CERTIFICATES}/podcertificaterequests",
        {},
        "can only list/watch podcertificaterequests with nodeName field selector",
    ),
    ("GET", f"{CERTIFICATES}/namespaces/default/podcertificaterequests/none", {}, NOT_RELATED),
    (
        "DELETE",
        f"{CERTIFICATES}/namespaces/default/podcertificaterequests/none",
        {},
        "nodes may not delete podcertificaterequests",
    ),
    ("GET", f"{CERTIFICATES}/clustertrustbundles", {}, None),
    ("GET", "/api/v1/nodes/n1", {}, None),
    ("GET", "/api/v1/nodes", {}, "node 'n1' cannot read all nodes, only its own Node object"),
    ("DELETE", "/api/v1/nodes/n1", {}, ""),
    ("PUT", "/api/v1/nodes/n1/status", {}, None),
    ("GET", "/api/v1/nodes/n1/proxy", {}, ""),
    ("GET", f"{CORE}/pods/p-n1", {}, None),
    ("GET", f"{CORE}/pods", {"fieldSelector": "metadata.name=p-n1"}, None),
    ("GET", f"{CORE}/pods", {"fieldSelector": "metadata.name=p-n2"}, NOT_RELATED),
    ("PUT", f"{CORE}/pods/p-n1", {}, ""),
    ("POST", f"{CORE}/pods/p-n1/exec", {}, ""),
    ("POST", f"{CORE}/pods/p-n1/eviction", {}, None),
    ("PUT", f"{LEASES}/kube-node-lease/leases/n1", {}, None),
    (
        "PUT",
        f"{LEASES}/kube-system/leases/n1",
        {},
        'can only access leases in the "kube-node-lease" system namespace',
    ),
    (
        "GET",
        f"{LEASES}/kube-node-lease/leases",
        {},
        "can only get, create, update, patch, or delete a node lease",
    ),
    ("GET", f"{STORAGE}/csinodes", {}, "can only get, create, update, patch, or delete a CSINode"),
    ("GET", "/api/v1/services", {}, None),
    ("GET", f"{CORE}/endpoints/e", {}, None),
    ("GET", f"{CORE}/endpoints", {}, ""),  # the service proxy has an identity of its own
    ("GET", "/apis/discovery.k8s.io/v1/endpointslices", {}, ""),
    ("GET", "/api/v1/namespaces", {}, ""),
    ("GET", "/apis/networking.k8s.io/v1/ingresses", {}, ""),
]


async def test_what_a_node_may_do(rig: Rig) -> None:
    said: list[tuple[str, str, Mapping[str, str], str | None]] = []
    for method, path, query, _ in ASKED:
        decision = rig.server.core.authorizer.decide(NODE, request_info(method, path, dict(query)))
        said.append((method, path, query, None if decision.allowed else decision.reason))
    assert said == ASKED


async def test_the_rules_of_all_nodes_are_those_of_the_role(rig: Rig) -> None:
    role = next(role for role in cluster_roles() if name_of(role) == "system:node")
    assert list(rig.server._nodes._rules.every) == role["rules"]


async def test_what_a_node_may_is_not_told_by_rules_nor_granted_to_others(rig: Rig) -> None:
    node, body = rig.client(NODE), {"spec": {"namespace": "default"}}
    status = (await node.create(SELF_SUBJECT_RULES_REVIEWS, body))["status"]
    assert (status["incomplete"], status["evaluationError"]) == (
        True,
        "node authorizer does not support user rule resolution",
    )
    assert not any("secrets" in rule["resources"] for rule in status["resourceRules"])
    may_make = [
        {"verbs": ["create"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]}
    ]
    await rig.admin.create(CLUSTER_ROLES, {"metadata": {"name": "makers"}, "rules": may_make})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "makers"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": NODES_GROUP}]
    bound = {"metadata": {"name": "makers"}, "roleRef": ref, "subjects": subjects}
    await rig.admin.create(CLUSTER_ROLE_BINDINGS, bound)
    secrets = [{"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]
    with pytest.raises(ApiError, match="not currently held"):
        await node.create(CLUSTER_ROLES, {"metadata": {"name": "all-secrets"}, "rules": secrets})
