"""What is said of an eviction, in upstream's words (`pkg/kubelet/eviction/helpers.go`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.eviction.signals import (
    Observations,
    Signal,
    Threshold,
    format_amount,
)
from wherry.kubelet.eviction.usage import ContainerUse, PodUse
from wherry.kubelet.pod import init_containers, regular_containers, spec_of
from wherry.objects.meta import Object, name_of
from wherry.objects.quantity import canonical_quantity, whole

REASON = "Evicted"


def volume_over_limit(name: str, limit: str) -> str:
    """An emptyDir that holds more than its `sizeLimit`."""
    return f'Usage of EmptyDir volume "{name}" exceeds the limit "{canonical_quantity(limit)}". '


def container_over_limit(name: str, limit: str) -> str:
    """A container that wrote more than its limit of ephemeral storage."""
    return f'Container {name} exceeded its local ephemeral storage limit "{canonical_quantity(limit)}". '


def pod_over_limit(limit: int) -> str:
    """A pod that wrote more than all its containers may together."""
    total = format_amount("ephemeral-storage", limit)
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "


def node_condition(conditions: Sequence[str]) -> str:
    """Why a pod is not let in."""
    return f"The node had condition: [{' '.join(conditions)}]. "


def eviction_message(
    pod: Object,
    use: PodUse | None,
    signal: Signal,
    met: Sequence[Signal],
    limits: Mapping[Signal, Threshold],
    seen: Observations,
) -> tuple[str, dict[str, str]]:
    """The message for a pod that goes as the node is short of `signal`'s resource; the event's annotations.

    `met` are the signals of which there is too little.
    """
    resource = signal.resource
    message = f"The node was low on resource: {resource}. "
    first = next((other for other in met if other.resource == resource), signal)
    threshold = format_amount(resource, limits[first].of(seen[first].capacity))
    available = format_amount(resource, seen[first].available)
    message += f"Threshold quantity: {threshold}, available: {available}. "
    if use is None:
        return message, {}
    annotations = {}
    own = ((spec_of(pod).get("resources") or {}).get("requests") or {}).get(resource)
    if resource == "memory" and own is not None:
        used = format_amount(resource, use.memory)
        asked = canonical_quantity(own)
        message += f"Pod {name_of(pod)} was using {used}, request is {asked}, "
        message += f"has larger consumption of {resource}. "
        annotations = {"offending_pod": name_of(pod), "offending_pod_usage": used}
    offending: dict[str, str] = {}
    for container in [*regular_containers(pod), *init_containers(pod)]:
        name = container["name"]
        amount = _amount(use.containers.get(name), resource)
        request = _request(container, resource)
        if amount is None or amount <= whole(request):
            continue
        offending[name] = format_amount(resource, amount)
        message += f"Container {name} was using {offending[name]}, request is {canonical_quantity(request)}, "
        message += f"has larger consumption of {resource}. "
    return message, {
        **annotations,
        "offending_containers": ",".join(offending),
        "offending_containers_usage": ",".join(offending.values()),
        "starved_resource": resource,
    }


def _amount(use: ContainerUse | None, resource: str) -> int | None:
    if use is None:
        return None
    if resource == "memory":
        return use.memory
    return (use.layer + use.logs).bytes if resource == "ephemeral-storage" else None


def _request(container: Mapping[str, Any], resource: str) -> str:
    return str(((container.get("resources") or {}).get("requests") or {}).get(resource, "0"))
