"""ClusterRoleBinding: who has a cluster role everywhere."""

from __future__ import annotations

from wherry.api.rbac.bindings import binding_resource

CLUSTER_ROLE_BINDINGS = binding_resource("ClusterRoleBinding", "clusterrolebindings", namespaced=False)
