"""MutatingAdmissionPolicyBinding: where a mutating policy applies, and with what parameters."""

from __future__ import annotations

from wherry.api.admissionregistration.policy_bindings import binding_resource

MUTATING_ADMISSION_POLICY_BINDINGS = binding_resource(
    "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", mutates=True
)
