"""Upstream's bootstrap policy, whole: every ClusterRole, Role and binding a cluster begins with."""

from __future__ import annotations

from wherry.apiserver.bootstrap.component_roles import component_roles
from wherry.apiserver.bootstrap.controller_roles import PREFIX, controller_bindings, controller_roles
from wherry.apiserver.bootstrap.policy import (
    EVENTS,
    account,
    binding,
    cluster_binding,
    group,
    lines,
    role,
    user,
)
from wherry.apiserver.bootstrap.user_roles import decision_roles, user_roles
from wherry.objects.meta import Object

CONTROLLER_MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
DNS = "system:coredns"
READER = "extension-apiserver-authentication-reader"
SYSTEM, PUBLIC = "kube-system", "kube-public"


def cluster_roles() -> list[Object]:
    """Every bootstrap ClusterRole."""
    return [*user_roles(), *decision_roles(), *component_roles(), *controller_roles()]


def cluster_role_bindings() -> list[Object]:
    """Every bootstrap ClusterRoleBinding."""
    known = group("system:authenticated")
    accounts = group("system:serviceaccounts")
    return [
        cluster_binding("cluster-admin", group("system:masters")),
        cluster_binding("system:discovery", known),
        cluster_binding("system:basic-user", known),
        cluster_binding("system:public-info-viewer", known, group("system:unauthenticated")),
        cluster_binding("system:monitoring", group("system:monitoring")),
        cluster_binding("system:service-account-issuer-discovery", accounts),
        cluster_binding("system:cluster-trust-bundle-discovery", accounts),
        cluster_binding("system:node-proxier", user("system:kube-proxy")),
        cluster_binding("system:kube-scheduler", user("system:kube-scheduler")),
        cluster_binding("system:volume-scheduler", user("system:kube-scheduler")),
        cluster_binding("system:kube-controller-manager", user("system:kube-controller-manager")),
        cluster_binding("system:node"),  # nodes are authorized by what runs on them
        cluster_binding("system:kube-dns", account("kube-dns")),
        cluster_binding(DNS, user(DNS), account("coredns")),
        *controller_bindings(),
    ]


def roles() -> list[Object]:
    """Every bootstrap Role."""
    return [
        role(SYSTEM, READER, lines("read core configmaps extension-apiserver-authentication")),
        *(
            role(
                SYSTEM,
                f"system::leader-locking-{name}",
                lines("watch core configmaps", f"get,update core configmaps {name}"),
            )
            for name in (CONTROLLER_MANAGER, SCHEDULER)
        ),
        role(SYSTEM, f"{PREFIX}bootstrap-signer", lines("read core secrets")),
        role(SYSTEM, DNS, lines("read core configmaps coredns")),
        role(SYSTEM, f"{PREFIX}cloud-provider", lines("create,read core configmaps")),
        role(SYSTEM, f"{PREFIX}token-cleaner", lines("delete,read core secrets", EVENTS)),
        role(
            PUBLIC,
            f"{PREFIX}bootstrap-signer",
            lines("read core configmaps", "update core configmaps cluster-info", EVENTS),
        ),
    ]


def role_bindings() -> list[Object]:
    """Every bootstrap RoleBinding."""
    parts = [user(f"system:{name}") for name in (CONTROLLER_MANAGER, SCHEDULER)]
    locking = [f"system::leader-locking-{name}" for name in (CONTROLLER_MANAGER, SCHEDULER)]
    signer = f"{PREFIX}bootstrap-signer"
    return [
        binding(SYSTEM, f"system::{READER}", READER, *parts),
        binding(SYSTEM, locking[0], locking[0], parts[0], account(CONTROLLER_MANAGER)),
        binding(SYSTEM, locking[1], locking[1], parts[1], account(SCHEDULER)),
        binding(SYSTEM, signer, signer, account("bootstrap-signer")),
        binding(SYSTEM, DNS, DNS, user(DNS), account("coredns")),
        binding(SYSTEM, f"{PREFIX}cloud-provider", f"{PREFIX}cloud-provider", account("cloud-provider")),
        binding(SYSTEM, f"{PREFIX}token-cleaner", f"{PREFIX}token-cleaner", account("token-cleaner")),
        binding(PUBLIC, signer, signer, account("bootstrap-signer")),
    ]
