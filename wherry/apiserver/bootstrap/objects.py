"""The objects every cluster starts with, apart from roles (`roles`) and the API's service (`endpoint`)."""

from __future__ import annotations

from wherry.objects.meta import Object

NAMESPACE_NAMES = ("default", "kube-node-lease", "kube-public", "kube-system")


def namespaces() -> list[Object]:
    """The system namespaces."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACE_NAMES]


def priority_classes() -> list[Object]:
    """The two classes system components use."""
    return [
        _priority_class(
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node "
            "if necessary.",
        ),
        _priority_class(
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ]


def _priority_class(name: str, value: int, description: str) -> Object:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
        "globalDefault": False,
        "description": description,
        "preemptionPolicy": "PreemptLowerPriority",
    }
