"""ValidatingAdmissionPolicyBinding: where a validating policy applies, and with what parameters."""

from __future__ import annotations

from wherry.api.admissionregistration.policy_bindings import binding_resource

VALIDATING_ADMISSION_POLICY_BINDINGS = binding_resource(
    "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", mutates=False
)
