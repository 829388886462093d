"""Every admission plugin, in the order they run (upstream's), and which of them run.

Webhooks come after the built-in ones, and quotas last: they count what all others have agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from wherry.apiserver.admission.always_pull_images import AlwaysPullImages
from wherry.apiserver.admission.base import AdmissionChain, Plugin
from wherry.apiserver.admission.certificates import (
    CertificateApproval,
    CertificateRequestor,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from wherry.apiserver.admission.claim_resize import PersistentVolumeClaimResize
from wherry.apiserver.admission.claim_status import ResourceClaimStatus
from wherry.apiserver.admission.default_ingress_class import DefaultIngressClass
from wherry.apiserver.admission.default_storage_class import DefaultStorageClass
from wherry.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from wherry.apiserver.admission.deny_service_external_ips import DenyServiceExternalIPs
from wherry.apiserver.admission.device_admin_access import DeviceAdminAccess
from wherry.apiserver.admission.limit_ranger import LimitRanger
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from wherry.apiserver.admission.node_restriction import NodeRestriction
from wherry.apiserver.admission.pod_node import NodeDeclaredFeatureValidator, PodResizeValidator
from wherry.apiserver.admission.pod_security.plugin import PodSecurity
from wherry.apiserver.admission.pod_topology_labels import PodTopologyLabels
from wherry.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from wherry.apiserver.admission.policies.reading import PolicyParams
from wherry.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from wherry.apiserver.admission.priority import Priority
from wherry.apiserver.admission.rbac_escalation import RbacEscalation
from wherry.apiserver.admission.resource_quota.plugin import ResourceQuota
from wherry.apiserver.admission.runtime_class import RuntimeClass
from wherry.apiserver.admission.service_account import ServiceAccount
from wherry.apiserver.admission.storage_protection import StorageObjectInUseProtection
from wherry.apiserver.admission.taint_nodes_by_condition import TaintNodesByCondition
from wherry.apiserver.admission.unattended import Unattended, UnattendedKinds
from wherry.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from wherry.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook

BUILT_IN: tuple[Callable[[], Plugin], ...] = (
    NamespaceLifecycle,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    AlwaysPullImages,
    PodSecurity,
    Priority,
    DefaultTolerationSeconds,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateRequestor,
    CertificateApproval,
    CertificateSigning,
    ClusterTrustBundleAttest,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    DenyServiceExternalIPs,
    PodTopologyLabels,
    NodeDeclaredFeatureValidator,
    PodResizeValidator,
    RbacEscalation,
    PolicyParams,
    DeviceAdminAccess,
    ResourceClaimStatus,
)
OFF_BY_DEFAULT = frozenset({"AlwaysPullImages", "DenyServiceExternalIPs"})
ALWAYS_ON = frozenset(
    {"CertificateRequestor", "DeviceAdminAccess", "PolicyParams", "RBACEscalation", "ResourceClaimStatus"}
)
"""No plugins of upstream's, whose storage layer does the same: nobody can switch them off."""


def _named(metrics: WebhookMetrics) -> Mapping[str, Plugin]:
    """All plugins, in the order they run."""
    last: tuple[Callable[[], Plugin], ...] = (
        MutatingAdmissionPolicy,
        partial(MutatingAdmissionWebhook, metrics),
        ValidatingAdmissionPolicy,
        partial(ValidatingAdmissionWebhook, metrics),
        ResourceQuota,
    )
    return {plugin.name: plugin for plugin in (make() for make in (*BUILT_IN, *last))}


def plugin_names() -> tuple[str, ...]:
    """The plugins that can be switched on and off, by upstream's names, in the order they run."""
    return tuple(name for name in _named(WebhookMetrics()) if name not in ALWAYS_ON)


def check_choice(enabled: Iterable[str], disabled: Iterable[str]) -> None:
    """Raise ValueError for a name that is no plugin's, or is in both."""
    on, off = set(enabled), set(disabled)
    unknown = sorted((on | off) - set(plugin_names()))
    if unknown:
        from difflib import get_close_matches  # imported here: few misspell one

        known = plugin_names()
        if near := [found for name in unknown for found in get_close_matches(name, known, 1)]:
            remedy = f"did you mean {', '.join(near)}?"
        else:
            remedy = f"use some of {', '.join(known)}"
        what = "is no admission plugin" if len(unknown) == 1 else "are no admission plugins"
        raise ValueError(f"{', '.join(unknown)} {what}; {remedy}")
    if on & off:
        raise ValueError(f"{', '.join(sorted(on & off))} is both enabled and disabled; choose one")


def built_in_plugins(
    metrics: WebhookMetrics, enabled: Iterable[str] = (), disabled: Iterable[str] = ()
) -> tuple[Plugin, ...]:
    """New instances of the plugins that run, in order; webhooks are counted in `metrics`.

    Those are upstream's defaults with `enabled` and without `disabled`, names `check_choice` takes.
    Raises ValueError like it.
    """
    on, off = set(enabled), set(disabled)
    check_choice(on, off)
    return tuple(
        plugin
        for name, plugin in _named(metrics).items()
        if name not in off and (name in on or name not in OFF_BY_DEFAULT)
    )


def built_in_chain(
    metrics: WebhookMetrics,
    enabled: Iterable[str] = (),
    disabled: Iterable[str] = (),
    unattended: Sequence[Unattended] = (),
) -> AdmissionChain:
    """The chain an API server runs with; it warns of kinds that are `unattended`.

    Raises ValueError like `built_in_plugins`.
    """
    told: tuple[Plugin, ...] = (UnattendedKinds(unattended),) if unattended else ()
    return AdmissionChain((*built_in_plugins(metrics, enabled, disabled), *told))
