"""RoleBinding: who has a role in a namespace."""

from __future__ import annotations

from wherry.api.resource import Resource

ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    namespaced=True,
    schema="io.k8s.api.rbac.v1.RoleBinding",
)
