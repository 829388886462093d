"""admissionregistration.k8s.io/v1beta1: mutating policies, which look as they do in v1."""

from __future__ import annotations

from wherry.api.admissionregistration.mutating_admission_policies import (
    MUTATING_ADMISSION_POLICIES as POLICIES,
)
from wherry.api.admissionregistration.mutating_admission_policy_bindings import (
    MUTATING_ADMISSION_POLICY_BINDINGS as BINDINGS,
)
from wherry.api.beta.lifecycles import SINCE_1_34
from wherry.api.versions import earlier

_VERSION = "admissionregistration.k8s.io/v1beta1"
_SCHEMA = "admissionregistration.v1beta1"

MUTATING_ADMISSION_POLICIES = earlier(POLICIES, _VERSION, SINCE_1_34, schema=_SCHEMA, is_current=True)
MUTATING_ADMISSION_POLICY_BINDINGS = earlier(BINDINGS, _VERSION, SINCE_1_34, schema=_SCHEMA, is_current=True)
