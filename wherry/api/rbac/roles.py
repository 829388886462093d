"""Role: permissions in a namespace."""

from __future__ import annotations

from wherry.api.rbac.rules import policy_rule_errors
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import PATH_SEGMENT
from wherry.objects.errors import FieldError
from wherry.objects.meta import Object

_SCHEMA = "io.k8s.api.rbac.v1.Role"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    return policy_rule_errors(new.get("rules") or (), "rules", namespaced=True)


ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    plural="roles",
    namespaced=True,
    strategy=SchemaStrategy(
        schema=_SCHEMA, namespaced=True, name_rule=PATH_SEGMENT, creates_on_update=True, rules=_rules
    ),
    schema=_SCHEMA,
)
