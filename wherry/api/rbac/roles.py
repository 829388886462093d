"""Role: permissions in a namespace."""

from __future__ import annotations

from wherry.api.resource import Resource

ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="Role",
    plural="roles",
    namespaced=True,
    schema="io.k8s.api.rbac.v1.Role",
)
