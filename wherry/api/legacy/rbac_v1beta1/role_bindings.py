"""RoleBinding in rbac.authorization.k8s.io/v1beta1."""

from __future__ import annotations

from wherry.api.legacy.lifecycles import RBAC_V1BETA1
from wherry.api.rbac.role_bindings import ROLE_BINDINGS as MODERN
from wherry.api.versions import earlier

ROLE_BINDINGS = earlier(
    MODERN,
    "rbac.authorization.k8s.io/v1beta1",
    RBAC_V1BETA1,
    schema="rbac.v1beta1",
)
