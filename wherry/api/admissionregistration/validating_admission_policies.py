"""ValidatingAdmissionPolicy: rules for admission, written in CEL."""

from __future__ import annotations

from wherry.api.admissionregistration.policies import policy_resource

VALIDATING_ADMISSION_POLICIES = policy_resource(
    "ValidatingAdmissionPolicy", "validatingadmissionpolicies", mutates=False
)
