"""What pods need that not every kubelet can do, inferred from their specs (KEP-5328).

As `component-helpers/nodedeclaredfeatures/features` does, of what matters before a pod has a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


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


def features_needed(spec: Mapping[str, Any]) -> frozenset[str]:
    """The features a pod of this spec needs of its node."""
    return frozenset(name for name, needs in FEATURES.items() if needs(spec))
