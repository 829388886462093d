"""RBACEscalation: nobody grants what they do not have.

Whoever writes a role must hold all its permissions or have the verb `escalate` on it; whoever binds
one must hold them too or have the verb `bind`. Upstream checks the same in its storage layer.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.rbac.cluster_role_bindings import CLUSTER_ROLE_BINDINGS
from wherry.api.rbac.cluster_roles import CLUSTER_ROLES
from wherry.api.rbac.role_bindings import ROLE_BINDINGS
from wherry.api.rbac.roles import ROLES
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import CREATE, UPDATE, Attributes, BasePlugin
from wherry.apiserver.authorization.rules import show_rule, uncovered
from wherry.apiserver.request import RequestInfo
from wherry.objects.errors import forbidden, not_found
from wherry.objects.meta import Object

API_GROUP = "rbac.authorization.k8s.io"
# By what is stored, so that every version of them is guarded.
ROLE_KINDS = frozenset({ROLES.storage_key, CLUSTER_ROLES.storage_key})
BINDING_KINDS = frozenset({ROLE_BINDINGS.storage_key, CLUSTER_ROLE_BINDINGS.storage_key})
HOUSEKEEPING = frozenset({"ownerReferences", "finalizers", "managedFields", "resourceVersion"})
"""Metadata that is changed to get rid of an object, or by every write."""
EVERYTHING: list[Object] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]


class RbacEscalation(BasePlugin):
    """See the module."""

    name = "RBACEscalation"

    def handles(self, resource: Resource, subresource: str, operation: str) -> bool:
        return operation in (CREATE, UPDATE) and resource.storage_key in ROLE_KINDS | BINDING_KINDS

    async def validate(self, attributes: Attributes) -> None:
        obj, old = attributes.obj or {}, attributes.old or {}
        if attributes.user.is_master:
            return
        if old and _without_housekeeping(obj) == _without_housekeeping(old):
            return
        if attributes.resource.storage_key in ROLE_KINDS:
            if not _may(attributes, "escalate", attributes.resource.plural, attributes.name):
                gathers = obj.get("aggregationRule") or old.get("aggregationRule")
                rules = EVERYTHING if gathers else obj.get("rules") or []
                _refuse_uncovered(attributes, rules)
            return
        ref = obj.get("roleRef") or {}
        plural = "clusterroles" if ref.get("kind") == "ClusterRole" else "roles"
        if _may(attributes, "bind", plural, ref.get("name", "")):
            return
        rbac = attributes.core.authorizer.rbac
        found = rbac.rules_of_role(ref.get("kind", ""), attributes.namespace, ref.get("name", ""))
        if found is None:
            raise not_found(plural, API_GROUP, ref.get("name", ""))
        _refuse_uncovered(attributes, found)


def _without_housekeeping(obj: Object) -> Object:
    """What of a role or binding may grant something. Labels may: roles are gathered by them."""
    kept = {name: value for name, value in obj["metadata"].items() if name not in HOUSEKEEPING}
    return {**obj, "metadata": kept}


def _may(attributes: Attributes, verb: str, plural: str, name: str) -> bool:
    info = RequestInfo(verb, "", True, API_GROUP, "v1", attributes.namespace, plural, name)
    return attributes.core.authorizer.decide(attributes.user, info).allowed


def _refuse_uncovered(attributes: Attributes, rules: Sequence[Object]) -> None:
    """Raise ApiError (403) when the user does not hold all of `rules`."""
    user = attributes.user
    held = attributes.core.authorizer.rules_for(user, attributes.namespace)
    missing = uncovered(rules, held)
    if not missing:
        return
    groups = " ".join(f'"{group}"' for group in user.groups)
    lines = "\n".join(show_rule(rule) for rule in missing)
    resource = attributes.resource
    raise forbidden(
        resource.plural,
        resource.group,
        attributes.name,
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
        f"not currently held:\n{lines}",
    )
