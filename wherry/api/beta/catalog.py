"""Every beta version of a kind that also has a released one, in discovery's order."""

from __future__ import annotations

from wherry.api.beta import (
    admissionregistration_v1beta1,
    certificates_v1beta1,
    resource_v1beta1,
    resource_v1beta2,
    storagemigration_v1beta1,
)
from wherry.api.resource import Resource

BETA: tuple[Resource, ...] = (
    admissionregistration_v1beta1.MUTATING_ADMISSION_POLICIES,
    admissionregistration_v1beta1.MUTATING_ADMISSION_POLICY_BINDINGS,
    certificates_v1beta1.CLUSTER_TRUST_BUNDLES,
    certificates_v1beta1.POD_CERTIFICATE_REQUESTS,
    resource_v1beta2.DEVICE_CLASSES,
    resource_v1beta2.DEVICE_TAINT_RULES,
    resource_v1beta2.RESOURCE_CLAIMS,
    resource_v1beta2.RESOURCE_CLAIM_TEMPLATES,
    resource_v1beta2.RESOURCE_SLICES,
    resource_v1beta1.DEVICE_CLASSES,
    resource_v1beta1.RESOURCE_CLAIMS,
    resource_v1beta1.RESOURCE_CLAIM_TEMPLATES,
    resource_v1beta1.RESOURCE_SLICES,
    storagemigration_v1beta1.STORAGE_VERSION_MIGRATIONS,
)
