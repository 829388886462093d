"""MutatingAdmissionPolicy: changes to objects on admission, written in CEL."""

from __future__ import annotations

from wherry.api.admissionregistration.policies import policy_resource

MUTATING_ADMISSION_POLICIES = policy_resource(
    "MutatingAdmissionPolicy", "mutatingadmissionpolicies", mutates=True
)
