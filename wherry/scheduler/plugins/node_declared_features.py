"""NodeDeclaredFeatures: pods that need something not every kubelet can do go where the node says it can.

(`nodedeclaredfeatures/nodedeclaredfeatures.go`, KEP-5328; what a pod needs is inferred from its spec as
`component-helpers/nodedeclaredfeatures/features` does, of the features that matter before a pod has a node.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import numpy as np

from wherry.objects.meta import Object
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind, Plugin, Rejection
from wherry.scheduler.interned import Bools, Rows
from wherry.scheduler.world import World

NOT_DECLARED = "node(s) didn't match Pod's required features"


def _restarts_all(spec: Mapping[str, Any]) -> bool:
    return any(
        rule.get("action") == "RestartAllContainers"
        for container in _containers(spec)
        for rule in container.get("restartPolicyRules") or ()
    )


def _containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("containers", "initContainers"):
        yield from spec.get(kind) or ()


def _has_users_on_host_network(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("hostNetwork")) and spec.get("hostUsers") is False


FEATURES: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "RestartAllContainersOnContainerExits": _restarts_all,
    "UserNamespacesHostNetworkSupport": _has_users_on_host_network,
}
"""Features by name, and which pods need them."""


def features_needed(pod: Object) -> frozenset[str]:
    """The features a pod needs of its node."""
    spec = pod.get("spec") or {}
    return frozenset(name for name, needs in FEATURES.items() if needs(spec))


class NodeDeclaredFeatures(Plugin):
    """Rejects nodes whose `status.declaredFeatures` lack what the pod needs."""

    name = "NodeDeclaredFeatures"
    changes = frozenset({Kind.NODE})

    def prepare(self, pod: PodFacts, world: World) -> Bools | None:
        """See `Plugin.prepare`: the rows that lack something."""
        needed = features_needed(pod.pod)
        if not needed:
            return None
        declared = ((node.get("status") or {}).get("declaredFeatures") or () for node in world.nodes.objects)
        return np.array([not needed <= set(features) for features in declared], dtype=np.bool_)

    def filter(self, state: Bools, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        return [Rejection(state[rows], NOT_DECLARED)]

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`."""
        return features_needed(pod.pod)
