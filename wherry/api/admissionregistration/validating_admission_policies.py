"""ValidatingAdmissionPolicy: rules for admission, written in CEL."""

from __future__ import annotations

from wherry.api.resource import Resource, Subresource

VALIDATING_ADMISSION_POLICIES = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="ValidatingAdmissionPolicy",
    plural="validatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(Subresource("status"),),
    schema="io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
)
