"""Roles of the cluster's parts and of common add-ons: scheduler, proxy, nodes, DNS, provisioners.

They are upstream's as they are. The controller manager reads everything for its controllers, and each of them
writes as an account of its own (`controller_roles`).
"""

from __future__ import annotations

from wherry.apiserver.bootstrap.policy import EVENTS, cluster_role, lines
from wherry.objects.meta import Object

_REVIEWS = (
    "create authentication.k8s.io tokenreviews",
    "create authorization.k8s.io subjectaccessreviews",
)

SCHEDULER = (
    EVENTS,
    "create coordination.k8s.io leases",
    "get,update coordination.k8s.io leases kube-scheduler",
    "read core namespaces,nodes,persistentvolumeclaims,persistentvolumes,replicationcontrollers,services",
    "delete,read core pods",
    "create core bindings,pods/binding",
    "patch,update core pods/status",
    "patch,read,update core pods/finalizers",
    "read apps,extensions replicasets",
    "read apps statefulsets",
    "read policy poddisruptionbudgets",
    "read scheduling.k8s.io podgroups,workloads",
    "patch,update scheduling.k8s.io podgroups/status",
    "read storage.k8s.io csidrivers,csinodes,csistoragecapacities,volumeattachments",
    "read resource.k8s.io deviceclasses,devicetaintrules,resourceclaims,resourceslices",
    "create,delete,patch,update resource.k8s.io resourceclaims",
    "patch,read,update resource.k8s.io resourceclaims/status",
    "patch,update resource.k8s.io resourceclaims/binding",
    *_REVIEWS,
)
CONTROLLER_MANAGER = (
    EVENTS,
    "create coordination.k8s.io leases",
    "get,update coordination.k8s.io leases kube-controller-manager",
    "create core secrets,serviceaccounts",
    "delete core secrets",
    "get core configmaps,namespaces,secrets,serviceaccounts",
    "update core secrets,serviceaccounts",
    *_REVIEWS,
    "list,watch * *",
    "create core serviceaccounts/token",
)
NODE = (
    "create authentication.k8s.io tokenreviews",
    "create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews",
    "read core services",
    "create,read core nodes",
    "patch,update core nodes/status",
    "patch,update core nodes",
    "create,patch,update core events",
    "read core pods",
    "create,delete core pods",
    "patch,update core pods/status",
    "create core pods/eviction",
    "read core configmaps,secrets",
    "get core persistentvolumeclaims,persistentvolumes",
    "get core endpoints",
    "create,read certificates.k8s.io certificatesigningrequests",
    "create,delete,get,patch,update coordination.k8s.io leases",
    "get storage.k8s.io volumeattachments",
    "create core serviceaccounts/token",
    "get,patch,update core persistentvolumeclaims/status",
    "read storage.k8s.io csidrivers",
    "create,delete,get,patch,update storage.k8s.io csinodes",
    "read node.k8s.io runtimeclasses",
    "get resource.k8s.io resourceclaims",
    "deletecollection resource.k8s.io resourceslices",
    "read certificates.k8s.io clustertrustbundles",
    "get core serviceaccounts",
    "create,read certificates.k8s.io podcertificaterequests",
)
PARTS: dict[str, tuple[str, ...]] = {
    "system:auth-delegator": _REVIEWS,
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        "create certificates.k8s.io certificatesigningrequests/nodeclient",
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        "create certificates.k8s.io certificatesigningrequests/selfnodeclient",
    ),
    "system:certificates.k8s.io:kube-apiserver-client-approver": (
        "approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client",
    ),
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": (
        "approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet",
    ),
    "system:certificates.k8s.io:kubelet-serving-approver": (
        "approve certificates.k8s.io signers kubernetes.io/kubelet-serving",
    ),
    "system:certificates.k8s.io:legacy-unknown-approver": (
        "approve certificates.k8s.io signers kubernetes.io/legacy-unknown",
    ),
    "system:heapster": ("read core events,namespaces,nodes,pods", "read extensions deployments"),
    "system:coredns": (
        "list,watch core endpoints,namespaces,pods,services",
        "list,watch discovery.k8s.io endpointslices",
    ),
    "system:kube-aggregator": ("read core endpoints,services",),
    "system:kube-controller-manager": CONTROLLER_MANAGER,
    "system:kube-dns": ("list,watch core endpoints,services",),
    "system:kube-scheduler": SCHEDULER,
    "system:kubelet-api-admin": (
        "read core nodes",
        "proxy core nodes",
        "all core nodes/configz,nodes/healthz,nodes/log,nodes/metrics,nodes/pods,nodes/proxy,nodes/stats",
    ),
    "system:node": NODE,
    "system:node-bootstrapper": ("create,read certificates.k8s.io certificatesigningrequests",),
    "system:node-problem-detector": ("get core nodes", "patch core nodes/status", EVENTS),
    "system:node-proxier": (
        "list,watch core endpoints,services",
        "read core nodes",
        EVENTS,
        "list,watch discovery.k8s.io endpointslices",
        "list,watch networking.k8s.io servicecidrs",
    ),
    "system:persistent-volume-provisioner": (
        "create,delete,read core persistentvolumes",
        "read,update core persistentvolumeclaims",
        "read storage.k8s.io storageclasses",
        "watch core events",
        EVENTS,
    ),
    "system:volume-scheduler": (
        "patch,read,update core persistentvolumes",
        "read storage.k8s.io storageclasses",
        "patch,read,update core persistentvolumeclaims",
    ),
}


def component_roles() -> list[Object]:
    """The ClusterRoles of the cluster's parts."""
    return [cluster_role(name, lines(*texts)) for name, texts in PARTS.items()]
