"""RoleBinding: who has a role in a namespace."""

from __future__ import annotations

from wherry.api.rbac.bindings import binding_resource

ROLE_BINDINGS = binding_resource("RoleBinding", "rolebindings", namespaced=True)
