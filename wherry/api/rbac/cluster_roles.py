"""ClusterRole: permissions for the whole cluster, or for use in any namespace."""

from __future__ import annotations

from wherry.api.resource import Resource

CLUSTER_ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRole",
)
