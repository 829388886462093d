"""MutatingAdmissionPolicyBinding: where a mutating policy applies, and with what parameters."""

from __future__ import annotations

from wherry.api.admissionregistration.policies import (
    BINDING_COLUMNS,
    binding_errors,
    binding_row,
    default_binding,
)
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy

_SCHEMA = "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding"

MUTATING_ADMISSION_POLICY_BINDINGS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicyBinding",
    plural="mutatingadmissionpolicybindings",
    namespaced=False,
    categories=("api-extensions",),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        tracks_generation=True,
        defaults=default_binding,
        rules=binding_errors,
        row=binding_row,
    ),
    columns=BINDING_COLUMNS,
    schema=_SCHEMA,
)
