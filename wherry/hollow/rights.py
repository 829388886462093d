"""Who simulated nodes are, and the least they may do: objects to be created where they are wanted."""

from __future__ import annotations

from wherry.objects.meta import Object

USER = "system:hollow-nodes"
_RBAC = "rbac.authorization.k8s.io"
_RULES = (
    ("", "nodes", ("get", "list", "watch", "create", "delete", "patch")),
    ("", "nodes/status", ("patch",)),
    ("", "pods", ("get", "list", "watch", "delete", "patch")),
    ("", "pods/status", ("patch",)),
    ("", "events", ("create", "patch")),
    ("coordination.k8s.io", "leases", ("get", "list", "create", "update")),
)


def rights() -> list[Object]:
    """The ClusterRole and its binding to `USER`.

    Stages for other kinds than pods and nodes need more: list, watch and patch of these, and create for
    `apply`.
    """
    rules = [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for group, resource, verbs in _RULES
    ]
    version = f"{_RBAC}/v1"
    return [
        {"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": USER}, "rules": rules},
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": USER},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": USER},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": USER}],
        },
    ]
