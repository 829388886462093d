"""Every admission plugin, in the order they run (upstream's).

Webhooks, once there, take their place after the mutating built-ins and before resource quotas.
"""

from __future__ import annotations

from wherry.apiserver.admission.base import AdmissionChain, Plugin
from wherry.apiserver.admission.certificates import Certificates
from wherry.apiserver.admission.default_toleration_seconds import DefaultTolerationSeconds
from wherry.apiserver.admission.limit_ranger import LimitRanger
from wherry.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from wherry.apiserver.admission.node_restriction import NodeRestriction
from wherry.apiserver.admission.priority import Priority
from wherry.apiserver.admission.rbac_escalation import RbacEscalation
from wherry.apiserver.admission.resource_quota.plugin import ResourceQuota
from wherry.apiserver.admission.service_account import ServiceAccount


def built_in_plugins() -> tuple[Plugin, ...]:
    """New instances of all built-in plugins, in order."""
    return (
        NamespaceLifecycle(),
        LimitRanger(),
        ServiceAccount(),
        NodeRestriction(),
        DefaultTolerationSeconds(),
        Priority(),
        RbacEscalation(),
        Certificates(),
        ResourceQuota(),
    )


def built_in_chain() -> AdmissionChain:
    """The chain an API server runs with."""
    return AdmissionChain(built_in_plugins())
