"""ClusterRoleBinding: who has a cluster role everywhere."""

from __future__ import annotations

from wherry.api.resource import Resource

CLUSTER_ROLE_BINDINGS = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    namespaced=False,
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
)
