"""ClusterRoleBinding: who has a cluster role everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wherry.api.columns import AGE, NAME, age_of
from wherry.api.rbac.rules import binding_errors, default_binding, role_text, subject_cells
from wherry.api.resource import Column, Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import PATH_SEGMENT
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object, name_of

_SCHEMA = "io.k8s.api.rbac.v1.ClusterRoleBinding"


def _rules(new: Object, old: Object | None) -> list[FieldError]:
    return binding_errors(new, old, namespaced=False)


def _row(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), role_text(obj), age_of(obj, now), *subject_cells(obj)]


CLUSTER_ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA,
        namespaced=False,
        name_rule=PATH_SEGMENT,
        creates_on_update=True,
        defaults=default_binding,
        rules=_rules,
        row=_row,
    ),
    columns=(
        NAME,
        Column("Role", description="The role that is given."),
        AGE,
        Column("Users", description="Users in the binding", priority=1),
        Column("Groups", description="Groups in the binding", priority=1),
        Column("ServiceAccounts", description="ServiceAccounts in the binding", priority=1),
    ),
    schema=_SCHEMA,
)
