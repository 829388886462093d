"""Every resource of an old version. `extensions` comes last: its kinds have long had other groups.

A client that is asked for "deployments" takes the first group that has them.
"""

from __future__ import annotations

from wherry.api.legacy.apps_v1beta1.controller_revisions import (
    CONTROLLER_REVISIONS as APPS_V1BETA1_CONTROLLER_REVISIONS,
)
from wherry.api.legacy.apps_v1beta1.deployments import DEPLOYMENTS as APPS_V1BETA1_DEPLOYMENTS
from wherry.api.legacy.apps_v1beta1.stateful_sets import STATEFUL_SETS as APPS_V1BETA1_STATEFUL_SETS
from wherry.api.legacy.apps_v1beta2.controller_revisions import (
    CONTROLLER_REVISIONS as APPS_V1BETA2_CONTROLLER_REVISIONS,
)
from wherry.api.legacy.apps_v1beta2.daemon_sets import DAEMON_SETS as APPS_V1BETA2_DAEMON_SETS
from wherry.api.legacy.apps_v1beta2.deployments import DEPLOYMENTS as APPS_V1BETA2_DEPLOYMENTS
from wherry.api.legacy.apps_v1beta2.replica_sets import REPLICA_SETS as APPS_V1BETA2_REPLICA_SETS
from wherry.api.legacy.apps_v1beta2.stateful_sets import STATEFUL_SETS as APPS_V1BETA2_STATEFUL_SETS
from wherry.api.legacy.batch_v1beta1.cron_jobs import CRON_JOBS as BATCH_V1BETA1_CRON_JOBS
from wherry.api.legacy.extensions_v1beta1.daemon_sets import DAEMON_SETS as EXTENSIONS_V1BETA1_DAEMON_SETS
from wherry.api.legacy.extensions_v1beta1.deployments import DEPLOYMENTS as EXTENSIONS_V1BETA1_DEPLOYMENTS
from wherry.api.legacy.extensions_v1beta1.ingresses import INGRESSES as EXTENSIONS_V1BETA1_INGRESSES
from wherry.api.legacy.extensions_v1beta1.network_policies import (
    NETWORK_POLICIES as EXTENSIONS_V1BETA1_NETWORK_POLICIES,
)
from wherry.api.legacy.extensions_v1beta1.replica_sets import REPLICA_SETS as EXTENSIONS_V1BETA1_REPLICA_SETS
from wherry.api.legacy.networking_v1beta1.ingress_classes import (
    INGRESS_CLASSES as NETWORKING_V1BETA1_INGRESS_CLASSES,
)
from wherry.api.legacy.networking_v1beta1.ingresses import INGRESSES as NETWORKING_V1BETA1_INGRESSES
from wherry.api.legacy.policy_v1beta1.pod_disruption_budgets import (
    POD_DISRUPTION_BUDGETS as POLICY_V1BETA1_POD_DISRUPTION_BUDGETS,
)
from wherry.api.legacy.rbac_v1beta1.cluster_role_bindings import (
    CLUSTER_ROLE_BINDINGS as RBAC_V1BETA1_CLUSTER_ROLE_BINDINGS,
)
from wherry.api.legacy.rbac_v1beta1.cluster_roles import CLUSTER_ROLES as RBAC_V1BETA1_CLUSTER_ROLES
from wherry.api.legacy.rbac_v1beta1.role_bindings import ROLE_BINDINGS as RBAC_V1BETA1_ROLE_BINDINGS
from wherry.api.legacy.rbac_v1beta1.roles import ROLES as RBAC_V1BETA1_ROLES
from wherry.api.resource import Resource

LEGACY: tuple[Resource, ...] = (
    APPS_V1BETA2_CONTROLLER_REVISIONS,
    APPS_V1BETA2_DAEMON_SETS,
    APPS_V1BETA2_DEPLOYMENTS,
    APPS_V1BETA2_REPLICA_SETS,
    APPS_V1BETA2_STATEFUL_SETS,
    APPS_V1BETA1_CONTROLLER_REVISIONS,
    APPS_V1BETA1_DEPLOYMENTS,
    APPS_V1BETA1_STATEFUL_SETS,
    BATCH_V1BETA1_CRON_JOBS,
    NETWORKING_V1BETA1_INGRESS_CLASSES,
    NETWORKING_V1BETA1_INGRESSES,
    POLICY_V1BETA1_POD_DISRUPTION_BUDGETS,
    RBAC_V1BETA1_CLUSTER_ROLE_BINDINGS,
    RBAC_V1BETA1_CLUSTER_ROLES,
    RBAC_V1BETA1_ROLE_BINDINGS,
    RBAC_V1BETA1_ROLES,
    EXTENSIONS_V1BETA1_DAEMON_SETS,
    EXTENSIONS_V1BETA1_DEPLOYMENTS,
    EXTENSIONS_V1BETA1_INGRESSES,
    EXTENSIONS_V1BETA1_NETWORK_POLICIES,
    EXTENSIONS_V1BETA1_REPLICA_SETS,
)
