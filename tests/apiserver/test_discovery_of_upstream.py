"""What kubectl shows of the released API: upstream v1.37's list, written down."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.apiserver.rig import Rig
from tests.apiserver.test_kubectl import Kubectl
from wherry.api.catalog import BUILTIN
from wherry.api.priorities import GROUPS
from wherry.apiserver.discovery import Discovery, groups_of

# Name, short names, apiVersion, whether namespaced, kind; the output of `kubectl api-resources`.
RELEASED = """
bindings - v1 true Binding
componentstatuses cs v1 false ComponentStatus
configmaps cm v1 true ConfigMap
endpoints ep v1 true Endpoints
events ev v1 true Event
limitranges limits v1 true LimitRange
namespaces ns v1 false Namespace
nodes no v1 false Node
persistentvolumeclaims pvc v1 true PersistentVolumeClaim
persistentvolumes pv v1 false PersistentVolume
pods po v1 true Pod
podtemplates - v1 true PodTemplate
replicationcontrollers rc v1 true ReplicationController
resourcequotas quota v1 true ResourceQuota
secrets - v1 true Secret
serviceaccounts sa v1 true ServiceAccount
services svc v1 true Service
mutatingadmissionpolicies - admissionregistration.k8s.io/v1 false MutatingAdmissionPolicy
mutatingadmissionpolicybindings - admissionregistration.k8s.io/v1 false MutatingAdmissionPolicyBinding
mutatingwebhookconfigurations - admissionregistration.k8s.io/v1 false MutatingWebhookConfiguration
validatingadmissionpolicies - admissionregistration.k8s.io/v1 false ValidatingAdmissionPolicy
validatingadmissionpolicybindings - admissionregistration.k8s.io/v1 false ValidatingAdmissionPolicyBinding
validatingwebhookconfigurations - admissionregistration.k8s.io/v1 false ValidatingWebhookConfiguration
customresourcedefinitions crd,crds apiextensions.k8s.io/v1 false CustomResourceDefinition
apiservices - apiregistration.k8s.io/v1 false APIService
controllerrevisions - apps/v1 true ControllerRevision
daemonsets ds apps/v1 true DaemonSet
deployments deploy apps/v1 true Deployment
replicasets rs apps/v1 true ReplicaSet
statefulsets sts apps/v1 true StatefulSet
selfsubjectreviews - authentication.k8s.io/v1 false SelfSubjectReview
tokenreviews - authentication.k8s.io/v1 false TokenReview
localsubjectaccessreviews - authorization.k8s.io/v1 true LocalSubjectAccessReview
selfsubjectaccessreviews - authorization.k8s.io/v1 false SelfSubjectAccessReview
selfsubjectrulesreviews - authorization.k8s.io/v1 false SelfSubjectRulesReview
subjectaccessreviews - authorization.k8s.io/v1 false SubjectAccessReview
horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler
cronjobs cj batch/v1 true CronJob
jobs - batch/v1 true Job
certificatesigningrequests csr certificates.k8s.io/v1 false CertificateSigningRequest
clustertrustbundles - certificates.k8s.io/v1 false ClusterTrustBundle
podcertificaterequests pcr certificates.k8s.io/v1 true PodCertificateRequest
leases - coordination.k8s.io/v1 true Lease
endpointslices - discovery.k8s.io/v1 true EndpointSlice
events ev events.k8s.io/v1 true Event
flowschemas - flowcontrol.apiserver.k8s.io/v1 false FlowSchema
prioritylevelconfigurations - flowcontrol.apiserver.k8s.io/v1 false PriorityLevelConfiguration
ingressclasses - networking.k8s.io/v1 false IngressClass
ingresses ing networking.k8s.io/v1 true Ingress
ipaddresses ip networking.k8s.io/v1 false IPAddress
networkpolicies netpol networking.k8s.io/v1 true NetworkPolicy
servicecidrs - networking.k8s.io/v1 false ServiceCIDR
runtimeclasses - node.k8s.io/v1 false RuntimeClass
poddisruptionbudgets pdb policy/v1 true PodDisruptionBudget
clusterrolebindings - rbac.authorization.k8s.io/v1 false ClusterRoleBinding
clusterroles - rbac.authorization.k8s.io/v1 false ClusterRole
rolebindings - rbac.authorization.k8s.io/v1 true RoleBinding
roles - rbac.authorization.k8s.io/v1 true Role
deviceclasses - resource.k8s.io/v1 false DeviceClass
devicetaintrules - resource.k8s.io/v1 false DeviceTaintRule
resourceclaims - resource.k8s.io/v1 true ResourceClaim
resourceclaimtemplates - resource.k8s.io/v1 true ResourceClaimTemplate
resourceslices - resource.k8s.io/v1 false ResourceSlice
priorityclasses pc scheduling.k8s.io/v1 false PriorityClass
csidrivers - storage.k8s.io/v1 false CSIDriver
csinodes - storage.k8s.io/v1 false CSINode
csistoragecapacities - storage.k8s.io/v1 true CSIStorageCapacity
storageclasses sc storage.k8s.io/v1 false StorageClass
volumeattachments - storage.k8s.io/v1 false VolumeAttachment
volumeattributesclasses vac storage.k8s.io/v1 false VolumeAttributesClass
storageversionmigrations - storagemigration.k8s.io/v1 false StorageVersionMigration
"""
RELEASED_VERSIONS = (
    "admissionregistration.k8s.io/v1 apiextensions.k8s.io/v1 apiregistration.k8s.io/v1 apps/v1 "
    "authentication.k8s.io/v1 authorization.k8s.io/v1 autoscaling/v1 autoscaling/v2 batch/v1 "
    "certificates.k8s.io/v1 coordination.k8s.io/v1 discovery.k8s.io/v1 events.k8s.io/v1 "
    "flowcontrol.apiserver.k8s.io/v1 networking.k8s.io/v1 node.k8s.io/v1 policy/v1 "
    "rbac.authorization.k8s.io/v1 resource.k8s.io/v1 scheduling.k8s.io/v1 storage.k8s.io/v1 "
    "storagemigration.k8s.io/v1 v1"
)
# The order of `/apis`, best first.
GROUP_ORDER = (
    "apiregistration.k8s.io apps events.k8s.io authentication.k8s.io authorization.k8s.io autoscaling batch "
    "certificates.k8s.io networking.k8s.io policy rbac.authorization.k8s.io storage.k8s.io "
    "admissionregistration.k8s.io apiextensions.k8s.io scheduling.k8s.io coordination.k8s.io node.k8s.io "
    "discovery.k8s.io resource.k8s.io flowcontrol.apiserver.k8s.io storagemigration.k8s.io extensions"
)
# Hashes a real cluster shows in `/api/v1`, `/apis/apps/v1` and so on.
HASHES = {
    "pods": "xPOwRZ+Yhw8=",
    "nodes": "XwShjMxG9Fs=",
    "events": "r2yiGXH7wu8=",
    "deployments": "8aSe+NMegvE=",
    "horizontalpodautoscalers": "qwQve8ut294=",
    "apiservices": "InPBPD7+PqM=",
    "customresourcedefinitions": "jfWCUB31mvA=",
}


@pytest.mark.slow
async def test_kubectl_shows_upstreams_resources(rig: Rig, tmp_path: Path) -> None:
    kubectl = Kubectl(rig, tmp_path)
    status, text = await kubectl("api-resources", "--no-headers")
    assert status == 0, text
    rows = [line.split() for line in text.splitlines()]
    shown = {" ".join(row if len(row) == 5 else [row[0], "-", *row[1:]]) for row in rows}
    assert {row for row in shown if "beta" not in row} == set(RELEASED.strip().splitlines())
    assert "podgroups - scheduling.k8s.io/v1beta1 true PodGroup" in shown
    assert "leasecandidates - coordination.k8s.io/v1beta1 true LeaseCandidate" in shown
    status, text = await kubectl("api-versions")
    assert status == 0, text
    assert [line for line in text.split() if "beta" not in line] == RELEASED_VERSIONS.split()


def test_the_order_of_groups() -> None:
    assert [group for group in groups_of(BUILTIN) if group] == GROUP_ORDER.split()
    assert set(GROUPS) == {resource.group for resource in BUILTIN}


async def test_every_group_and_version_has_a_document(rig: Rig) -> None:
    _, listed, _ = await rig.http("GET", "/apis")
    assert [group["name"] for group in listed["groups"]] == GROUP_ORDER.split()
    for group in listed["groups"]:
        status, document, _ = await rig.http("GET", f"/apis/{group['name']}")
        assert status == 200
        assert document == {"kind": "APIGroup", "apiVersion": "v1", **group}
        for version in group["versions"]:
            status, document, _ = await rig.http("GET", f"/apis/{version['groupVersion']}")
            assert (status, document["groupVersion"]) == (200, version["groupVersion"])
            hashes = {
                r["name"]: r["storageVersionHash"] for r in document["resources"] if "storageVersionHash" in r
            }
            for name in HASHES.keys() & hashes.keys():
                assert hashes[name] == HASHES[name]
            for entry in document["resources"]:
                is_below = "/" in entry["name"]
                assert bool(entry["singularName"]) != is_below
                assert ("storageVersionHash" in entry) == (
                    "list" in entry["verbs"] and "create" in entry["verbs"]
                )


async def test_api_services_have_upstreams_places(rig: Rig) -> None:
    _, listed, _ = await rig.http("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
    places = {
        item["metadata"]["name"]: (item["spec"]["groupPriorityMinimum"], item["spec"]["versionPriority"])
        for item in listed["items"]
    }
    assert places["v1."] == (18000, 1)
    assert places["v1.apps"] == (17800, 15)
    assert places["v2.autoscaling"] == (17500, 30)
    assert places["v1.flowcontrol.apiserver.k8s.io"] == (16100, 21)
    assert places["v1beta1.admissionregistration.k8s.io"] == (16700, 12)
    assert "v1.apiregistration.k8s.io" not in places


def test_groups_of_other_servers_take_their_place() -> None:
    foreign = [
        {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "resources": []}]},
        {"metadata": {"name": "early.example.com"}, "versions": [{"version": "v1", "resources": []}]},
    ]
    places = {"metrics.k8s.io": 100, "early.example.com": 17650}
    discovery = Discovery(BUILTIN, "a", foreign, places)
    listed = discovery.answer("/apis")
    assert listed is not None
    names = [group["name"] for group in orjson.loads(listed.body)["groups"]]
    assert names.index("early.example.com") == names.index("authorization.k8s.io") - 1
    assert names[-1] == "metrics.k8s.io"
    group = discovery.answer("/apis/metrics.k8s.io")
    assert group is not None
    assert orjson.loads(group.body)["preferredVersion"]["version"] == "v1beta1"
