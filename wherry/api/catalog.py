"""Every built-in resource, in the order discovery shows them.

Within a group the first version named is the preferred one. The two finders answer for the
built-in kinds alone; custom resources are the API server's to know.
"""

from __future__ import annotations

from wherry.api.admissionregistration.mutating_admission_policies import MUTATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.mutating_admission_policy_bindings import (
    MUTATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.api.admissionregistration.mutating_webhook_configurations import MUTATING_WEBHOOK_CONFIGURATIONS
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.admissionregistration.validating_admission_policy_bindings import (
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from wherry.api.admissionregistration.validating_webhook_configurations import (
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from wherry.api.apiextensions.custom_resource_definitions import CUSTOM_RESOURCE_DEFINITIONS
from wherry.api.apiregistration.api_services import API_SERVICES
from wherry.api.apps.controller_revisions import CONTROLLER_REVISIONS
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.replica_sets import REPLICA_SETS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.authentication.self_subject_reviews import SELF_SUBJECT_REVIEWS
from wherry.api.authentication.token_reviews import TOKEN_REVIEWS
from wherry.api.authorization.local_subject_access_reviews import LOCAL_SUBJECT_ACCESS_REVIEWS
from wherry.api.authorization.self_subject_access_reviews import SELF_SUBJECT_ACCESS_REVIEWS
from wherry.api.authorization.self_subject_rules_reviews import SELF_SUBJECT_RULES_REVIEWS
from wherry.api.authorization.subject_access_reviews import SUBJECT_ACCESS_REVIEWS
from wherry.api.autoscaling.horizontal_pod_autoscalers import HORIZONTAL_POD_AUTOSCALERS
from wherry.api.autoscaling.horizontal_pod_autoscalers_v1 import HORIZONTAL_POD_AUTOSCALERS_V1
from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.jobs import JOBS
from wherry.api.beta.catalog import BETA
from wherry.api.certificates.certificate_signing_requests import CERTIFICATE_SIGNING_REQUESTS
from wherry.api.certificates.cluster_trust_bundles import CLUSTER_TRUST_BUNDLES
from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.coordination.lease_candidates import LEASE_CANDIDATES
from wherry.api.coordination.leases import LEASES
from wherry.api.core.bindings import BINDINGS
from wherry.api.core.component_statuses import COMPONENT_STATUSES
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.events import EVENTS
from wherry.api.core.limit_ranges import LIMIT_RANGES
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pod_templates import POD_TEMPLATES
from wherry.api.core.pods import PODS
from wherry.api.core.replication_controllers import REPLICATION_CONTROLLERS
from wherry.api.core.resource_quotas import RESOURCE_QUOTAS
from wherry.api.core.secrets import SECRETS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.api.dynamicresources.device_classes import DEVICE_CLASSES
from wherry.api.dynamicresources.device_taint_rules import DEVICE_TAINT_RULES
from wherry.api.dynamicresources.resource_claim_templates import RESOURCE_CLAIM_TEMPLATES
from wherry.api.dynamicresources.resource_claims import RESOURCE_CLAIMS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.events.events import EVENTS as GROUP_EVENTS
from wherry.api.flowcontrol.flow_schemas import FLOW_SCHEMAS
from wherry.api.flowcontrol.priority_level_configurations import PRIORITY_LEVEL_CONFIGURATIONS
from wherry.api.legacy.catalog import LEGACY
from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.networking.ip_addresses import IP_ADDRESSES
from wherry.api.networking.network_policies import NETWORK_POLICIES
from wherry.api.networking.service_cidrs import SERVICE_CIDRS
from wherry.api.node.runtime_classes import RUNTIME_CLASSES
from wherry.api.policy.pod_disruption_budgets import POD_DISRUPTION_BUDGETS
from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.resource import Resource
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.api.scheduling.workloads import WORKLOADS
from wherry.api.storage.csi_drivers import CSI_DRIVERS
from wherry.api.storage.csi_nodes import CSI_NODES
from wherry.api.storage.csi_storage_capacities import CSI_STORAGE_CAPACITIES
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS
from wherry.api.storage.volume_attributes_classes import VOLUME_ATTRIBUTES_CLASSES
from wherry.api.storagemigration.storage_version_migrations import STORAGE_VERSION_MIGRATIONS

BUILTIN: tuple[Resource, ...] = (
    BINDINGS,
    COMPONENT_STATUSES,
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    POD_TEMPLATES,
    REPLICATION_CONTROLLERS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
    CUSTOM_RESOURCE_DEFINITIONS,
    API_SERVICES,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    SELF_SUBJECT_REVIEWS,
    TOKEN_REVIEWS,
    LOCAL_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
    HORIZONTAL_POD_AUTOSCALERS,
    HORIZONTAL_POD_AUTOSCALERS_V1,
    CRON_JOBS,
    JOBS,
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_TRUST_BUNDLES,
    POD_CERTIFICATE_REQUESTS,
    LEASES,
    LEASE_CANDIDATES,
    ENDPOINT_SLICES,
    GROUP_EVENTS,
    FLOW_SCHEMAS,
    PRIORITY_LEVEL_CONFIGURATIONS,
    INGRESS_CLASSES,
    INGRESSES,
    IP_ADDRESSES,
    NETWORK_POLICIES,
    SERVICE_CIDRS,
    RUNTIME_CLASSES,
    POD_DISRUPTION_BUDGETS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIMS,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_SLICES,
    PRIORITY_CLASSES,
    POD_GROUPS,
    WORKLOADS,
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
    VOLUME_ATTRIBUTES_CLASSES,
    STORAGE_VERSION_MIGRATIONS,
    *BETA,
    *LEGACY,
)

_BY_KIND = {(resource.api_version, resource.kind): resource for resource in BUILTIN}


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The built-in resource that serves `kind` of `api_version` ("apps/v1", "v1"), None if there is none."""
    return _BY_KIND.get((api_version, kind))
