"""Every controller there is; `controllers` starts these and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from wherry.controllers.base import Controller
from wherry.controllers.bootstrap.cleaning import TokenCleaner
from wherry.controllers.bootstrap.signing import BootstrapSigner
from wherry.controllers.certificates.approving import CertificateApproving
from wherry.controllers.certificates.cleaning import CertificateCleaning
from wherry.controllers.certificates.signing import CertificateSigning
from wherry.controllers.cluster_role_aggregation import ClusterRoleAggregation
from wherry.controllers.cronjob.controller import CronJobs
from wherry.controllers.daemonset.controller import DaemonSets
from wherry.controllers.deployment.controller import Deployments
from wherry.controllers.device_taints import DeviceTaintEviction
from wherry.controllers.disruption.controller import Disruption
from wherry.controllers.endpoints.endpoints import EndpointsController
from wherry.controllers.endpoints.mirroring import EndpointSliceMirroring
from wherry.controllers.endpoints.slice_controller import EndpointSlices
from wherry.controllers.garbage.collector import GarbageCollector
from wherry.controllers.job.controller import Jobs
from wherry.controllers.legacy_token_cleaner import LegacyTokenCleaner
from wherry.controllers.namespace import Namespaces
from wherry.controllers.node_ipam import NodeIpam
from wherry.controllers.nodes.eviction import TaintEviction
from wherry.controllers.nodes.lifecycle import NodeLifecycle
from wherry.controllers.nodes.ttl import NodeTtl
from wherry.controllers.pod_gc import PodGc
from wherry.controllers.podautoscaler.controller import HorizontalPodAutoscalers
from wherry.controllers.policy_status import PolicyStatus
from wherry.controllers.protection.claims import ClaimProtection
from wherry.controllers.protection.pod_groups import PodGroupProtection
from wherry.controllers.protection.volumes import VolumeProtection
from wherry.controllers.replicas.controller import ReplicaSets, ReplicationControllers
from wherry.controllers.resourceclaim.controller import ResourceClaims
from wherry.controllers.resourcequota.controller import ResourceQuotas
from wherry.controllers.root_ca import RootCa
from wherry.controllers.service_account import ServiceAccounts
from wherry.controllers.service_account_tokens import ServiceAccountTokens
from wherry.controllers.service_cidrs import ServiceCidrs
from wherry.controllers.statefulset.controller import StatefulSets
from wherry.controllers.storage_version_migrator import StorageVersionMigrator
from wherry.controllers.ttl_after_finished import TtlAfterFinished

EVERY = "*"
OFF = "-"


def choose_controllers(names: Sequence[str]) -> tuple[type[Controller], ...]:
    """The controllers of these names (with or without "-controller"), as upstream's `--controllers` has it.

    "*" stands for all, "-name" takes one out, be it one of upstream's that is not here. Upstream's names and
    its older ones are taken, too. Raises ValueError for a name that is none.
    """
    known = known_names()
    off_anyway = {OFF + name for name in _NOT_HERE - known.keys()}
    names = [name for name in names if name not in off_anyway]
    for name in names:
        if name != EVERY and name.removeprefix(OFF) not in known:
            listed = ", ".join(sorted(kind.name for kind in CONTROLLERS))
            near = [] if name in _NOT_HERE else get_close_matches(name.removeprefix(OFF), known, 1)
            hint = f"did you mean {near[0]}? Known" if near else "known"
            raise ValueError(f"{name.removeprefix(OFF)!r} is not a known controller; {hint}: {listed}")
    off = {known[name.removeprefix(OFF)] for name in names if name.startswith(OFF)}
    on = {known[name] for name in names if name != EVERY and not name.startswith(OFF)}
    wanted = set(CONTROLLERS) if EVERY in names else on
    return tuple(kind for kind in CONTROLLERS if kind in wanted - off or kind in on)


def spellings(name: str) -> tuple[str, str]:
    """What a controller may be called: its name with and without the ending."""
    bare = name.removesuffix("-controller")
    return bare, f"{bare}-controller"


def known_names() -> dict[str, type[Controller]]:
    """Everything a controller may be called."""
    named = {kind: (kind.name, *ALSO_CALLED.get(kind, ())) for kind in CONTROLLERS}
    return {spelt: kind for kind, names in named.items() for name in names for spelt in spellings(name)}


CONTROLLERS: tuple[type[Controller], ...] = (
    # What pods need before they can start comes first.
    ServiceAccounts,
    RootCa,
    ServiceAccountTokens,
    NodeIpam,
    Deployments,
    ReplicaSets,
    ReplicationControllers,
    StatefulSets,
    Jobs,
    DaemonSets,
    CronJobs,
    TtlAfterFinished,
    EndpointsController,
    EndpointSlices,
    EndpointSliceMirroring,
    NodeLifecycle,
    NodeTtl,
    TaintEviction,
    DeviceTaintEviction,
    PodGc,
    HorizontalPodAutoscalers,
    ResourceClaims,
    ResourceQuotas,
    CertificateApproving,
    CertificateSigning,
    CertificateCleaning,
    BootstrapSigner,
    TokenCleaner,
    LegacyTokenCleaner,
    ClaimProtection,
    VolumeProtection,
    PodGroupProtection,
    ServiceCidrs,
    ClusterRoleAggregation,
    PolicyStatus,
    StorageVersionMigrator,
    Disruption,
    Namespaces,
    GarbageCollector,
)

ALSO_CALLED: Mapping[type[Controller], tuple[str, ...]] = {
    ServiceAccounts: ("serviceaccount",),
    RootCa: ("root-ca-certificate-publisher",),
    ServiceAccountTokens: ("serviceaccount-token",),
    NodeIpam: ("nodeipam",),
    ReplicationControllers: ("replicationcontroller",),
    EndpointsController: ("endpoints",),
    EndpointSliceMirroring: ("endpointslicemirroring",),
    NodeLifecycle: ("node-lifecycle", "nodelifecycle"),
    PodGc: ("podgc",),
    HorizontalPodAutoscalers: ("horizontalpodautoscaling",),
    ResourceClaims: ("resource-claim",),
    CertificateApproving: ("csrapproving",),
    CertificateSigning: ("csrsigning",),
    CertificateCleaning: ("csrcleaner",),
    BootstrapSigner: ("bootstrapsigner",),
    TokenCleaner: ("tokencleaner",),
    LegacyTokenCleaner: ("legacy-service-account-token-cleaner",),
    ClaimProtection: ("pvc-protection",),
    VolumeProtection: ("pv-protection",),
    GarbageCollector: ("garbage-collector", "garbagecollector"),
}
"""What upstream calls them, or did (cmd/kube-controller-manager/names and its aliases)."""
_NOT_HERE = frozenset(
    spelt
    for name in (
        *("attachdetach", "persistentvolume-attach-detach", "persistentvolume-binder"),
        *("persistentvolume-expander", "ephemeral-volume", "volumeattributesclass-protection"),
        *("service", "service-lb", "route", "node-route", "cloud-node-lifecycle"),
        *("storage-version-gc", "storageversion-garbage-collector"),
        *("selinux-warning", "podcertificaterequest-cleaner"),
        *("resourcepoolstatusrequest", "evictionrequest", "imperative-eviction-responder"),
        "kube-apiserver-serving-clustertrustbundle-publisher",
    )
    for spelt in spellings(name)
)
"""Upstream's others: who turns one off has what they want."""
