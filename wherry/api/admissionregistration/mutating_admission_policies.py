"""MutatingAdmissionPolicy: changes to objects on admission, written in CEL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.admissionregistration.policies import PARAM_KIND, default_policy, param_kind, policy_errors
from wherry.api.columns import AGE, NAME, age_of
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy"


def _row(obj: Object, now: datetime) -> list[Any]:
    count = len((obj.get("spec") or {}).get("mutations") or ())
    return [name_of(obj), count, param_kind(obj), age_of(obj, now)]


MUTATING_ADMISSION_POLICIES = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingAdmissionPolicy",
    plural="mutatingadmissionpolicies",
    namespaced=False,
    categories=("api-extensions",),
    strategy=SchemaStrategy(
        unconditional_update=False,
        schema=_SCHEMA,
        namespaced=False,
        has_status=False,
        tracks_generation=True,
        defaults=default_policy,
        rules=policy_errors,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Mutations", "integer", description="How many mutations the policy has"),
        PARAM_KIND,
        AGE,
    ),
    schema=_SCHEMA,
)
