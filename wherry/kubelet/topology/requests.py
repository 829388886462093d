"""What of the machine containers ask for, to have it for themselves. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.kubelet.cgroups import qos_class
from wherry.kubelet.pod import init_containers, is_sidecar, regular_containers, spec_of
from wherry.objects.quantity import milli, whole


def wants_own(pod: Mapping[str, Any]) -> bool:
    """Whether containers of the pod may have something for themselves.

    Pods with resources of their own are not served so (the feature PodLevelResourceManagers, off by default).
    """
    own = spec_of(pod).get("resources") or {}
    is_whole = bool(own.get("requests") or own.get("limits"))
    return not is_whole and qos_class(pod) == "Guaranteed"


def own_cpus(pod: Mapping[str, Any], container: Mapping[str, Any]) -> int:
    """How many processors the container is to have for itself: a whole number of them, else 0."""
    asked = _requests(container).get("cpu")
    if asked is None or not wants_own(pod):
        return 0
    millis = milli(asked)
    return millis // 1000 if millis % 1000 == 0 else 0


def own_memory(pod: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, int]:
    """Bytes of memory and of huge pages the container is to have near to it, by resource."""
    if not wants_own(pod):
        return {}
    return {
        name: whole(quantity)
        for name, quantity in _requests(container).items()
        if name == "memory" or name.startswith("hugepages-")
    }


def pod_total(pod: Mapping[str, Any], amounts: Mapping[str, int]) -> int:
    """What the pod needs at once at most, by what each of its containers needs (by name)."""
    sidecars = at_start = 0
    for container in init_containers(pod):
        amount = amounts.get(container["name"], 0)
        if is_sidecar(container):
            sidecars += amount
        else:
            at_start = max(at_start, sidecars + amount)
    return max(at_start, sidecars + sum(amounts.get(c["name"], 0) for c in regular_containers(pod)))


def containers_of(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Init containers first, then the others: the order in which they are given what they ask for."""
    return [*init_containers(pod), *regular_containers(pod)]


def is_passing(pod: Mapping[str, Any], name: str) -> bool:
    """Whether the container ends before the pod's own begin: what it has may go to them."""
    return any(one["name"] == name and not is_sidecar(one) for one in init_containers(pod))


def _requests(container: Mapping[str, Any]) -> dict[str, Any]:
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
