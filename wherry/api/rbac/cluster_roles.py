"""ClusterRole: permissions for the whole cluster, or for use in any namespace."""

from __future__ import annotations

from wherry.api.rbac.rules import policy_rule_errors
from wherry.api.resource import Resource
from wherry.api.schema_strategy import SchemaStrategy
from wherry.api.validation import PATH_SEGMENT, validate_label_selector
from wherry.objects.errors import FieldError, required
from wherry.objects.meta import Object

_SCHEMA = "io.k8s.api.rbac.v1.ClusterRole"


def _rules(new: Object, _old: Object | None) -> list[FieldError]:
    errors = policy_rule_errors(new.get("rules") or (), "rules", namespaced=False)
    aggregation = new.get("aggregationRule")
    selectors = (aggregation or {}).get("clusterRoleSelectors") or ()
    if aggregation is not None and not selectors:
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        errors.append(required("aggregationRule.clusterRoleSelectors", why))
    for index, selector in enumerate(selectors):
        errors += validate_label_selector(selector, f"aggregationRule.clusterRoleSelectors[{index}]")
    return errors


CLUSTER_ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    namespaced=False,
    strategy=SchemaStrategy(
        schema=_SCHEMA, namespaced=False, name_rule=PATH_SEGMENT, creates_on_update=True, rules=_rules
    ),
    schema=_SCHEMA,
)
