"""What a node must not write: field by field of what it reports, reference by reference of its own pods."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.certificates.material import encoded, pem, request_der
from tests.apiserver.rig import Rig, account, pod, running
from tests.controllers.certificates.asking import csr, request
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.certificates.signers import CLIENT, KUBELET_CLIENT, KUBELET_SERVING
from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.references import api_reference
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.schema.definitions import definition
from wherry.apiserver.user import AUTHENTICATED, NODES_GROUP, User
from wherry.client.api import Client
from wherry.kit.clock import FakeClock
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

NODE = User("system:node:n1", (NODES_GROUP, AUTHENTICATED))
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A server whose authorizer lets nodes do everything, so that it is admission that refuses."""
    async with running(FakeClock(), listens=False) as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        await rig.admin.create(NODES, {"metadata": {"name": "n1"}})
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
        subject = {"apiGroup": RBAC, "kind": "Group", "name": NODES_GROUP}
        bound = {"metadata": {"name": "all-nodes"}, "roleRef": role, "subjects": [subject]}
        await rig.admin.create(CLUSTER_ROLE_BINDINGS, bound)
        yield rig


async def refusal(node: Client, resource: Any, obj: Object, subresource: str = "status") -> str:
    """What a write is refused with by admission; "" if something else, or nothing, stands in its way."""
    try:
        await node.update(resource, obj, subresource)
    except ApiError as error:
        return error.message if error.code == 403 else ""
    return ""


STATE = [{"name": "web", "image": "i", "imageID": "i", "ready": True, "restartCount": 0}]
EXTENDED = {
    "resourceClaimName": "others",
    "requestMappings": [
        {"containerName": "web", "resourceName": "example.com/gpu", "requestName": "container-0-request-0"}
    ],
}
POD_STATUS: dict[str, Any] = {
    "allocatedResources": {"cpu": "1"},
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": STATE,
    "ephemeralContainerStatuses": STATE,
    "extendedResourceClaimStatus": EXTENDED,
    "hostIP": "10.0.0.1",
    "hostIPs": [{"ip": "10.0.0.1"}],
    "initContainerStatuses": STATE,
    "message": "m",
    "nodeAllocatableResourceClaimStatuses": [{"resourceClaimName": "others"}],
    "nominatedNodeName": "n1",
    "observedGeneration": 1,
    "phase": "Running",
    "podIP": "10.1.0.1",
    "podIPs": [{"ip": "10.1.0.1"}],
    "qosClass": "BestEffort",
    "reason": "R",
    "resize": "Proposed",
    "resourceClaimStatuses": [{"name": "c", "resourceClaimName": "others"}],
    "resources": {"requests": {"cpu": "1"}},
    "startTime": "2026-01-01T00:00:00Z",
    "volumeHealth": [{"name": "v"}],
}
"""A value for each field of a pod's status."""
NOT_FOR_NODES = {
    "extendedResourceClaimStatus": 'node "n1" cannot update extended resource claim status',
    "resourceClaimStatuses": 'node "n1" cannot update resource claim statues',
}
"""Those that say what the pod, and so its node, may read."""


async def test_of_a_pods_status_a_node_writes_what_opens_nothing(rig: Rig) -> None:
    assert POD_STATUS.keys() == definition("io.k8s.api.core.v1.PodStatus").fields().keys(), "judge new ones"
    node = rig.client(NODE)
    claims = [{"name": "c", "resourceClaimTemplateName": "t"}]
    made = await rig.admin.create(PODS, pod("p", nodeName="n1", resourceClaims=claims))
    refused = {}
    for field, value in POD_STATUS.items():
        seen = await rig.admin.get(PODS, "p", "default")
        seen["status"] = {**made["status"], field: value}
        if why := await refusal(node, PODS, seen):
            refused[field] = why.partition("forbidden: ")[2]
    assert refused == NOT_FOR_NODES


async def test_what_a_node_says_of_claims_opens_none_to_it() -> None:
    """Without the rights of the other tests: by what the node authorizer alone lets it read."""
    async with running(FakeClock(), listens=False) as rig:
        node = rig.client(NODE)
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        one = {"name": "r", "exactly": {"deviceClassName": "gpu"}}
        claim = {
            "metadata": {"name": "others", "namespace": "default"},
            "spec": {"devices": {"requests": [one]}},
        }
        await rig.admin.create(RESOURCE_CLAIMS, claim)
        claims = [{"name": "c", "resourceClaimTemplateName": "t"}]
        made = await rig.admin.create(PODS, pod("p", nodeName="n1", resourceClaims=claims))
        for field in NOT_FOR_NODES:
            status = {**made["status"], field: POD_STATUS[field]}
            with pytest.raises(ApiError, match="cannot update"):
                await node.update_status(PODS, {**made, "status": status})
            with pytest.raises(ApiError, match="no relationship found"):
                await node.get(RESOURCE_CLAIMS, "others", "default")
        await rig.admin.update_status(PODS, {**made, "status": status})  # the scheduler may say it
        assert await node.get(RESOURCE_CLAIMS, "others", "default")
        told = await node.patch(PODS, "p", "default", {"status": {"phase": "Running"}}, subresource="status")
        assert told["status"]["phase"] == "Running", "what stands there already is no hindrance"


CLAIM_STATUS: dict[str, Any] = {
    "accessModes": ["ReadWriteMany"],
    "allocatedResourceStatuses": {"storage": "NodeResizePending"},
    "allocatedResources": {"storage": "2Gi"},
    "capacity": {"storage": "2Gi"},
    "conditions": [{"type": "FileSystemResizePending", "status": "True"}],
    "currentVolumeAttributesClassName": "gold",
    "healthStatus": {"status": "Healthy"},
    "modifyVolumeStatus": {"status": "Pending", "targetVolumeAttributesClassName": "gold"},
    "phase": "Bound",
}
GROWN_ON_NODES = {"allocatedResourceStatuses", "allocatedResources", "capacity", "conditions"}


async def test_of_a_claims_status_a_node_writes_how_it_was_grown(rig: Rig) -> None:
    fields = definition("io.k8s.api.core.v1.PersistentVolumeClaimStatus").fields()
    assert CLAIM_STATUS.keys() == fields.keys(), "judge new ones"
    node = rig.client(NODE)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"metadata": {"name": "c", "namespace": "default"}, "spec": spec}
    made = await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, claim)
    refused = {}
    for field, value in CLAIM_STATUS.items():
        seen = await rig.admin.get(PERSISTENT_VOLUME_CLAIMS, "c", "default")
        seen["status"] = {**made["status"], field: value}
        if why := await refusal(node, PERSISTENT_VOLUME_CLAIMS, seen):
            refused[field] = why
    only = "fields other than status.capacity and status.conditions: status."
    assert refused.keys() == CLAIM_STATUS.keys() - GROWN_ON_NODES
    assert all(why.endswith(only + field) for field, why in refused.items()), refused
    owned = await rig.admin.get(PERSISTENT_VOLUME_CLAIMS, "c", "default")
    owned["metadata"]["annotations"] = {"a": "b"}
    assert "metadata.annotations" in await refusal(node, PERSISTENT_VOLUME_CLAIMS, owned)
    grown = await rig.admin.get(PERSISTENT_VOLUME_CLAIMS, "c", "default")
    grown["metadata"]["labels"] = {"a": "b"}
    assert (await refusal(node, PERSISTENT_VOLUME_CLAIMS, grown, "")).endswith("may only update PVC status")
    with pytest.raises(ApiError, match="may only update PVC status"):
        await node.delete(PERSISTENT_VOLUME_CLAIMS, "c", "default")


SECRET = {"name": "s"}
VOLUMES: dict[str, tuple[Any, str]] = {
    "awsElasticBlockStore": ({"volumeID": "v"}, ""),
    "azureDisk": ({"diskName": "d", "diskURI": "u"}, ""),
    "azureFile": ({"secretName": "s", "shareName": "s"}, "secrets"),
    "cephfs": ({"monitors": ["m"], "secretRef": SECRET}, "secrets"),
    "cinder": ({"volumeID": "v", "secretRef": SECRET}, "secrets"),
    "configMap": ({"name": "c"}, "configmaps"),
    "csi": ({"driver": "d"}, "csidrivers (via CSI volumes)"),
    "downwardAPI": ({"items": []}, ""),
    "emptyDir": ({}, ""),
    "ephemeral": ({"volumeClaimTemplate": {}}, "persistentvolumeclaims (via ephemeral volumes)"),
    "fc": ({"lun": 1}, ""),
    "flexVolume": ({"driver": "d", "secretRef": SECRET}, "secrets"),
    "flocker": ({"datasetName": "d"}, ""),
    "gcePersistentDisk": ({"pdName": "d"}, ""),
    "gitRepo": ({"repository": "r"}, ""),
    "glusterfs": ({"endpoints": "e", "path": "p"}, "endpoints (via glusterFS volumes)"),
    "hostPath": ({"path": "/p"}, ""),
    "image": ({"reference": "i"}, ""),
    "iscsi": ({"iqn": "i", "secretRef": SECRET}, "secrets"),
    "nfs": ({"server": "s", "path": "/p"}, ""),
    "persistentVolumeClaim": ({"claimName": "c"}, "persistentvolumeclaims"),
    "photonPersistentDisk": ({"pdID": "d"}, ""),
    "portworxVolume": ({"volumeID": "v"}, ""),
    "projected": ({"sources": []}, ""),
    "quobyte": ({"registry": "r", "volume": "v"}, ""),
    "rbd": ({"image": "i", "secretRef": SECRET}, "secrets"),
    "scaleIO": ({"system": "s", "secretRef": SECRET}, "secrets"),
    "secret": ({"secretName": "s"}, "secrets"),
    "storageos": ({"volumeName": "v", "secretRef": SECRET}, "secrets"),
    "vsphereVolume": ({"volumePath": "p"}, ""),
}
"""Each kind of volume, and what is said of a pod with one that names whatever it can name."""
PROJECTED: dict[str, tuple[Any, str]] = {
    "clusterTrustBundle": ({"name": "b", "path": "p"}, "clustertrustbundles"),
    "configMap": ({"name": "c"}, "configmaps"),
    "downwardAPI": ({"items": []}, ""),
    "podCertificate": ({"signerName": "example.com/s", "keyType": "ED25519"}, "podcertificates"),
    "secret": ({"name": "s"}, "secrets"),
    "serviceAccountToken": ({"path": "t"}, "serviceaccounts (via projected volumes)"),
}


def test_every_reference_of_a_pod_is_known() -> None:
    known = definition("io.k8s.api.core.v1.Volume").fields().keys() - {"name"}
    assert VOLUMES.keys() == known, "judge new ones"
    assert PROJECTED.keys() == definition("io.k8s.api.core.v1.VolumeProjection").fields().keys()
    for kind, (source, what) in VOLUMES.items():
        assert api_reference(pod("p", volumes=[{"name": "v", kind: source}])) == what, kind
    for kind, (source, what) in PROJECTED.items():
        volumes = [{"name": "v", "projected": {"sources": [{kind: source}]}}]
        assert api_reference(pod("p", volumes=volumes)) == what, kind
    assert api_reference(pod("p", serviceAccountName="a")) == "serviceaccounts"
    assert api_reference(pod("p", imagePullSecrets=[SECRET])) == "secrets"
    assert (
        api_reference(pod("p", resourceClaims=[{"name": "c", "resourceClaimName": "x"}])) == "resourceclaims"
    )
    for field, what in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
        containers = [{"name": "i", "image": "i", "envFrom": [{field: {"name": "n"}}]}]
        for where in ("initContainers", "containers", "ephemeralContainers"):
            assert api_reference({"spec": {where: containers}}) == what


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ({"volumes": [{"name": "v", "projected": {"sources": [{kind: source}]}}]}, what)
        for kind, (source, what) in PROJECTED.items()
        if kind in ("clusterTrustBundle", "podCertificate")
    ]
    + [({"resourceClaims": [{"name": "c", "resourceClaimName": "others"}]}, "resourceclaims")],
)
async def test_a_mirror_pod_refers_to_nothing(rig: Rig, spec: dict[str, Any], what: str) -> None:
    uid = (await rig.admin.get(NODES, "n1"))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "controller": True, "uid": uid}
    mirror = pod("m", nodeName="n1", **spec)
    mirror["metadata"] |= {"annotations": {MIRROR: "x"}, "ownerReferences": [owner]}
    with pytest.raises(ApiError, match=f"can not create pods that reference {what}$") as caught:
        await rig.client(NODE).create(PODS, mirror)
    assert caught.value.code == 403


async def test_a_node_writes_no_other_part_of_a_pod(rig: Rig) -> None:
    node = rig.client(NODE)
    made = await rig.admin.create(PODS, pod("p", nodeName="n1"))
    only = "only 'status' and 'eviction' are allowed"
    assert only in await refusal(node, PODS, made, "resize")
    assert "can only create and delete mirror pods" in await refusal(node, PODS, made, "")


async def test_leases_and_slices_of_other_nodes_are_not_a_nodes(rig: Rig) -> None:
    node = rig.client(NODE)
    with pytest.raises(ApiError, match='can only access leases in the "kube-node-lease" system namespace'):
        await node.create(LEASES, {"metadata": {"name": "n1", "namespace": "default"}})

    def slice_on(name: str) -> Object:
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        return {"metadata": {"name": name}, "spec": {"driver": "d.example", "nodeName": name, "pool": pool}}

    await node.create(RESOURCE_SLICES, slice_on("n1"))
    with pytest.raises(
        ApiError, match="can only create ResourceSlice with the same NodeName as the requesting"
    ):
        await node.create(RESOURCE_SLICES, slice_on("n2"))
    await rig.admin.create(RESOURCE_SLICES, slice_on("n2"))
    with pytest.raises(
        ApiError, match="can only delete ResourceSlice with the same NodeName as the requesting"
    ):
        await node.delete(RESOURCE_SLICES, "n2")
    await node.delete(RESOURCE_SLICES, "n1")


async def test_a_node_asks_for_certificates_of_its_own_pods(rig: Rig) -> None:
    node = rig.client(NODE)
    made = await rig.admin.create(PODS, pod("p", nodeName="n1", serviceAccountName="default"))
    elsewhere = await rig.admin.create(PODS, pod("q", nodeName="n2", serviceAccountName="default"))
    spec = {
        "signerName": "example.com/s",
        "podName": "p",
        "podUID": made["metadata"]["uid"],
        "serviceAccountName": "default",
        "serviceAccountUID": (await rig.admin.get(SERVICE_ACCOUNTS, "default", "default"))["metadata"]["uid"],
        "nodeName": "n1",
        "nodeUID": (await rig.admin.get(NODES, "n1"))["metadata"]["uid"],
        "stubPKCS10Request": encoded(request_der()),
    }

    async def ask(**changes: str) -> Object:
        meta = {"generateName": "r-", "namespace": "default"}
        return await node.create(POD_CERTIFICATE_REQUESTS, {"metadata": meta, "spec": {**spec, **changes}})

    await ask()
    theirs = {"podName": "q", "podUID": elsewhere["metadata"]["uid"]}
    for changes, code, why in (
        ({"nodeName": "n2"}, 403, 'NodeName="n2", which is not the requesting node "n1"'),
        ({"nodeUID": "x"}, 500, 'names node UID "x", inconsistent with the running node'),
        ({"podName": "none"}, 404, 'pods "none" not found'),
        ({"podUID": "x"}, 500, "which differs from running pod"),
        (theirs, 403, 'pod "default/q" is not running on node "n1"'),
        ({"serviceAccountName": "admin"}, 403, r'serviceAccountName \("admin"\) that differs'),
        ({"serviceAccountUID": "x"}, 500, "which differs from the running service account"),
    ):
        with pytest.raises(ApiError, match=why) as caught:
            await ask(**changes)
        assert caught.value.code == code


async def test_a_kubelets_certificate_is_asked_for_by_that_kubelet(rig: Rig) -> None:
    node = rig.client(NODE)
    other = request("system:node:n2")
    for number, signer in enumerate((KUBELET_CLIENT, KUBELET_SERVING)):
        await node.create(CERTIFICATE_SIGNING_REQUESTS, csr(signer, name=f"own-{number}"))
        with pytest.raises(ApiError, match="can only create a node CSR with CN=system:node:n1"):
            await node.create(CERTIFICATE_SIGNING_REQUESTS, csr(signer, other, name=f"other-{number}"))
    await node.create(CERTIFICATE_SIGNING_REQUESTS, csr(CLIENT, other, name="no-kubelets"))
    nothing = csr(KUBELET_CLIENT, name="nothing")
    nothing["spec"]["request"] = encoded(pem("CERTIFICATE REQUEST", b"nothing"))
    with pytest.raises(ApiError, match="unable to parse csr"):
        await node.create(CERTIFICATE_SIGNING_REQUESTS, nothing)
