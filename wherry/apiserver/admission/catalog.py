"""Every admission plugin, in the order they run (upstream's): webhooks after the built-in ones."""

from __future__ import annotations

from wherry.apiserver.admission.base import AdmissionChain, Plugin
from wherry.apiserver.admission.certificates import Certificates
from wherry.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from wherry.apiserver.admission.limit_ranger import LimitRanger
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from wherry.apiserver.admission.node_restriction import NodeRestriction
from wherry.apiserver.admission.pod_security.plugin import PodSecurity
from wherry.apiserver.admission.priority import Priority
from wherry.apiserver.admission.rbac_escalation import RbacEscalation
from wherry.apiserver.admission.resource_quota.plugin import ResourceQuota
from wherry.apiserver.admission.service_account import ServiceAccount
from wherry.apiserver.admission.webhooks.mutating import MutatingAdmissionWebhook
from wherry.apiserver.admission.webhooks.validating import ValidatingAdmissionWebhook


def built_in_plugins(metrics: WebhookMetrics) -> tuple[Plugin, ...]:
    """New instances of all built-in plugins, in order; webhooks are counted in `metrics`."""
    return (
        NamespaceLifecycle(),
        LimitRanger(),
        ServiceAccount(),
        NodeRestriction(),
        PodSecurity(),
        DefaultTolerationSeconds(),
        Priority(),
        RbacEscalation(),
        Certificates(),
        MutatingAdmissionWebhook(metrics),
        ValidatingAdmissionWebhook(metrics),
        ResourceQuota(),
    )


def built_in_chain(metrics: WebhookMetrics) -> AdmissionChain:
    """The chain an API server runs with."""
    return AdmissionChain(built_in_plugins(metrics))
