"""Where upstream v1.37 keeps each kind, in which version, and an object of it to write.

Keys and versions are upstream's as facts: a program that reads a cluster's etcd looks for them there.
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from tests.api.certificates.material import certificate_der, encoded, pem, request_der
from wherry.objects.meta import Object

CONTAINERS = {"containers": [{"name": "c", "image": "nginx"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": CONTAINERS}
SELECTOR = {"matchLabels": {"a": "b"}}
WORKLOAD = {"selector": SELECTOR, "template": TEMPLATE}
JOB = {"template": {"spec": {**CONTAINERS, "restartPolicy": "Never"}}}
REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
RULES = [
    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
]
HOOK = {
    "name": "a.example.com",
    "admissionReviewVersions": ["v1"],
    "clientConfig": {"url": "https://a.example.com"},
    "sideEffects": "None",
}
CLAIM = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu.example.com"}}]}}
PEM = base64.b64encode(b"x").decode()
SCHEMA = {"openAPIV3Schema": {"type": "object"}}


class Place(NamedTuple):
    """A kind: its key (below /registry/, `{n}` the namespace), the version stored, and a body."""

    key: str
    version: str
    body: Object


def _spec(**spec: Any) -> Object:
    return {"spec": spec}


# The plural and the group ("pods", "deployments.apps") -> its place.
PLACES: dict[str, Place] = {
    "configmaps": Place("configmaps/{n}/a", "v1", {"data": {"k": "v"}}),
    "endpoints": Place(
        "services/endpoints/{n}/a",
        "v1",
        {"subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]},
    ),
    "events": Place("events/{n}/a", "v1", {"involvedObject": {"namespace": "{n}"}, "message": "m"}),
    "limitranges": Place("limitranges/{n}/a", "v1", _spec(limits=[{"type": "Pod"}])),
    "namespaces": Place("namespaces/a", "v1", {}),
    "nodes": Place("minions/a", "v1", _spec(unschedulable=True)),
    "persistentvolumeclaims": Place(
        "persistentvolumeclaims/{n}/a",
        "v1",
        _spec(accessModes=["ReadWriteOnce"], resources={"requests": {"storage": "1Gi"}}),
    ),
    "persistentvolumes": Place(
        "persistentvolumes/a",
        "v1",
        _spec(accessModes=["ReadWriteOnce"], capacity={"storage": "1Gi"}, hostPath={"path": "/a"}),
    ),
    "pods": Place("pods/{n}/a", "v1", {"spec": CONTAINERS}),
    "podtemplates": Place("podtemplates/{n}/a", "v1", {"template": TEMPLATE}),
    "replicationcontrollers": Place("controllers/{n}/a", "v1", _spec(selector={"a": "b"}, template=TEMPLATE)),
    "resourcequotas": Place("resourcequotas/{n}/a", "v1", _spec(hard={"pods": "5"})),
    "secrets": Place("secrets/{n}/a", "v1", {"data": {"k": PEM}}),
    "serviceaccounts": Place("serviceaccounts/{n}/a", "v1", {}),
    "services": Place("services/specs/{n}/a", "v1", _spec(ports=[{"port": 80}], selector={"a": "b"})),
    "mutatingadmissionpolicies.admissionregistration.k8s.io": Place(
        "mutatingadmissionpolicies/a",
        "admissionregistration.k8s.io/v1",
        _spec(
            matchConstraints={"resourceRules": RULES},
            reinvocationPolicy="Never",
            mutations=[{"patchType": "JSONPatch", "jsonPatch": {"expression": "[]"}}],
        ),
    ),
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": Place(
        "mutatingadmissionpolicybindings/a", "admissionregistration.k8s.io/v1", _spec(policyName="p")
    ),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": Place(
        "mutatingwebhookconfigurations/a", "admissionregistration.k8s.io/v1", {"webhooks": [HOOK]}
    ),
    "validatingadmissionpolicies.admissionregistration.k8s.io": Place(
        "validatingadmissionpolicies/a",
        "admissionregistration.k8s.io/v1",
        _spec(matchConstraints={"resourceRules": RULES}, validations=[{"expression": "true"}]),
    ),
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": Place(
        "validatingadmissionpolicybindings/a",
        "admissionregistration.k8s.io/v1",
        _spec(policyName="p", validationActions=["Deny"]),
    ),
    "validatingwebhookconfigurations.admissionregistration.k8s.io": Place(
        "validatingwebhookconfigurations/a", "admissionregistration.k8s.io/v1", {"webhooks": [HOOK]}
    ),
    "customresourcedefinitions.apiextensions.k8s.io": Place(
        "apiextensions.k8s.io/customresourcedefinitions/boats.sea.example.com",
        "apiextensions.k8s.io/v1beta1",
        {
            "metadata": {"name": "boats.sea.example.com"},
            **_spec(
                group="sea.example.com",
                scope="Cluster",
                names={"plural": "boats", "kind": "Boat"},
                versions=[{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
            ),
        },
    ),
    "apiservices.apiregistration.k8s.io": Place(
        "apiregistration.k8s.io/apiservices/v1.a.example.com",
        "apiregistration.k8s.io/v1",
        {
            "metadata": {"name": "v1.a.example.com"},
            **_spec(
                group="a.example.com",
                version="v1",
                groupPriorityMinimum=100,
                versionPriority=10,
                insecureSkipTLSVerify=True,
                service={"namespace": "default", "name": "a"},
            ),
        },
    ),
    "controllerrevisions.apps": Place(
        "controllerrevisions/{n}/a", "apps/v1", {"data": {"x": 1}, "revision": 1}
    ),
    "daemonsets.apps": Place("daemonsets/{n}/a", "apps/v1", {"spec": WORKLOAD}),
    "deployments.apps": Place("deployments/{n}/a", "apps/v1", {"spec": WORKLOAD}),
    "replicasets.apps": Place("replicasets/{n}/a", "apps/v1", {"spec": WORKLOAD}),
    "statefulsets.apps": Place("statefulsets/{n}/a", "apps/v1", {"spec": {**WORKLOAD, "serviceName": "a"}}),
    "horizontalpodautoscalers.autoscaling": Place(
        "horizontalpodautoscalers/{n}/a", "autoscaling/v2", _spec(maxReplicas=3, scaleTargetRef=REFERENCE)
    ),
    "cronjobs.batch": Place(
        "cronjobs/{n}/a", "batch/v1", _spec(schedule="* * * * *", jobTemplate={"spec": JOB})
    ),
    "jobs.batch": Place("jobs/{n}/a", "batch/v1", {"spec": JOB}),
    "certificatesigningrequests.certificates.k8s.io": Place(
        "certificatesigningrequests/a",
        "certificates.k8s.io/v1",
        _spec(signerName="example.com/s", usages=["any"], request="{csr}"),
    ),
    "clustertrustbundles.certificates.k8s.io": Place(
        "clustertrustbundles/a",
        "certificates.k8s.io/v1beta1",
        _spec(trustBundle=pem("CERTIFICATE", certificate_der(is_authority=True))),
    ),
    "podcertificaterequests.certificates.k8s.io": Place(
        "podcertificaterequests/{n}/a",
        "certificates.k8s.io/v1beta1",
        _spec(
            signerName="example.com/s",
            podName="p",
            podUID="u",
            serviceAccountName="default",
            serviceAccountUID="u",
            nodeName="n",
            nodeUID="u",
            stubPKCS10Request=encoded(request_der()),
        ),
    ),
    "leases.coordination.k8s.io": Place("leases/{n}/a", "coordination.k8s.io/v1", _spec(holderIdentity="me")),
    "leasecandidates.coordination.k8s.io": Place(
        "leasecandidates/{n}/a",
        "coordination.k8s.io/v1beta1",
        _spec(leaseName="l", binaryVersion="1.37.0", strategy="example.com/x"),
    ),
    "endpointslices.discovery.k8s.io": Place(
        "endpointslices/{n}/a", "discovery.k8s.io/v1", {"addressType": "IPv4", "endpoints": []}
    ),
    "events.events.k8s.io": Place(
        "events/{n}/a",
        "v1",
        {
            "regarding": {"namespace": "{n}"},
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "example.com/c",
            "reportingInstance": "c-0",
            "action": "Act",
            "reason": "Why",
            "type": "Normal",
        },
    ),
    "flowschemas.flowcontrol.apiserver.k8s.io": Place(
        "flowschemas/a",
        "flowcontrol.apiserver.k8s.io/v1",
        _spec(priorityLevelConfiguration={"name": "exempt"}),
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": Place(
        "prioritylevelconfigurations/a",
        "flowcontrol.apiserver.k8s.io/v1",
        _spec(type="Limited", limited={"limitResponse": {"type": "Reject"}}),
    ),
    "ingressclasses.networking.k8s.io": Place(
        "ingressclasses/a", "networking.k8s.io/v1", _spec(controller="example.com/c")
    ),
    "ingresses.networking.k8s.io": Place(
        "ingress/{n}/a",
        "networking.k8s.io/v1",
        _spec(defaultBackend={"service": {"name": "s", "port": {"number": 80}}}),
    ),
    "ipaddresses.networking.k8s.io": Place(
        "ipaddresses/10.1.2.3",
        "networking.k8s.io/v1",
        {
            "metadata": {"name": "10.1.2.3"},
            **_spec(parentRef={"resource": "services", "namespace": "n", "name": "s"}),
        },
    ),
    "networkpolicies.networking.k8s.io": Place(
        "networkpolicies/{n}/a", "networking.k8s.io/v1", _spec(podSelector={})
    ),
    "servicecidrs.networking.k8s.io": Place(
        "servicecidrs/a", "networking.k8s.io/v1", _spec(cidrs=["10.100.0.0/16"])
    ),
    "runtimeclasses.node.k8s.io": Place("runtimeclasses/a", "node.k8s.io/v1", {"handler": "h"}),
    "poddisruptionbudgets.policy": Place(
        "poddisruptionbudgets/{n}/a", "policy/v1", _spec(minAvailable=1, selector=SELECTOR)
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": Place(
        "clusterrolebindings/a",
        "rbac.authorization.k8s.io/v1",
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}},
    ),
    "clusterroles.rbac.authorization.k8s.io": Place(
        "clusterroles/a",
        "rbac.authorization.k8s.io/v1",
        {"rules": [{"nonResourceURLs": ["/x"], "verbs": ["get"]}]},
    ),
    "rolebindings.rbac.authorization.k8s.io": Place(
        "rolebindings/{n}/a",
        "rbac.authorization.k8s.io/v1",
        {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}},
    ),
    "roles.rbac.authorization.k8s.io": Place(
        "roles/{n}/a",
        "rbac.authorization.k8s.io/v1",
        {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ),
    "deviceclasses.resource.k8s.io": Place("deviceclasses/a", "resource.k8s.io/v1", _spec()),
    "devicetaintrules.resource.k8s.io": Place(
        "devicetaintrules/a", "resource.k8s.io/v1beta2", _spec(taint={"key": "k", "effect": "NoSchedule"})
    ),
    "resourceclaims.resource.k8s.io": Place("resourceclaims/{n}/a", "resource.k8s.io/v1", {"spec": CLAIM}),
    "resourceclaimtemplates.resource.k8s.io": Place(
        "resourceclaimtemplates/{n}/a", "resource.k8s.io/v1", _spec(spec=CLAIM)
    ),
    "resourceslices.resource.k8s.io": Place(
        "resourceslices/a",
        "resource.k8s.io/v1",
        _spec(
            driver="d.example.com",
            nodeName="n",
            pool={"name": "n", "generation": 1, "resourceSliceCount": 1},
        ),
    ),
    "podgroups.scheduling.k8s.io": Place(
        "podgroups/{n}/a", "scheduling.k8s.io/v1beta1", _spec(schedulingPolicy={"basic": {}})
    ),
    "priorityclasses.scheduling.k8s.io": Place("priorityclasses/a", "scheduling.k8s.io/v1", {"value": 1000}),
    "workloads.scheduling.k8s.io": Place(
        "workloads/{n}/a",
        "scheduling.k8s.io/v1beta1",
        _spec(podGroupTemplates=[{"name": "g", "schedulingPolicy": {"basic": {}}}]),
    ),
    "csidrivers.storage.k8s.io": Place("csidrivers/a", "storage.k8s.io/v1", _spec(attachRequired=True)),
    "csinodes.storage.k8s.io": Place("csinodes/a", "storage.k8s.io/v1", _spec(drivers=[])),
    "csistoragecapacities.storage.k8s.io": Place(
        "csistoragecapacities/{n}/a", "storage.k8s.io/v1", {"storageClassName": "s"}
    ),
    "storageclasses.storage.k8s.io": Place(
        "storageclasses/a", "storage.k8s.io/v1", {"provisioner": "example.com/p"}
    ),
    "volumeattachments.storage.k8s.io": Place(
        "volumeattachments/a",
        "storage.k8s.io/v1",
        _spec(attacher="d.example.com", nodeName="n", source={"persistentVolumeName": "v"}),
    ),
    "volumeattributesclasses.storage.k8s.io": Place(
        "volumeattributesclasses/a",
        "storage.k8s.io/v1",
        {"driverName": "d.example.com", "parameters": {"k": "v"}},
    ),
    "storageversionmigrations.storagemigration.k8s.io": Place(
        "storageversionmigrations/a",
        "storagemigration.k8s.io/v1beta1",
        _spec(resource={"group": "apps", "resource": "deployments"}),
    ),
}
