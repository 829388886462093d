"""Whether this node can take a pod that was bound to it, and has room for it.

The scheduler sees to it, but a pod can be bound by hand, or two schedulers may both see the last place.
Pure; texts are upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec.resources import is_extended
from wherry.api.dynamicresources.pod_claims import claimed_resources, extended_claim
from wherry.kubelet.cgroups import pod_request, qos_class
from wherry.kubelet.eviction.messages import REASON, node_condition
from wherry.kubelet.eviction.ranking import is_critical
from wherry.kubelet.pod import all_containers, is_terminal, spec_of
from wherry.kubelet.sysctls import REASON as SYSCTL_FORBIDDEN
from wherry.kubelet.sysctls import find_forbidden
from wherry.kubelet.unsupported import refuse_at_node
from wherry.objects.quantity import milli, whole
from wherry.objects.taints import tolerates_any

SHORTAGES = ("OutOfpods", "OutOfcpu", "OutOfmemory")
"""Reasons of objections that ending other pods would remove."""
MEMORY_PRESSURE = ("node.kubernetes.io/memory-pressure", "", "NoSchedule")


def find_objection(
    pod: Mapping[str, Any],
    others: Sequence[Mapping[str, Any]],
    allocatable: Mapping[str, str],
    pressure: Sequence[str] = (),
    *,
    unsafe_sysctls: Sequence[str] = (),
    apparmor: bool = True,
    strict_groups: bool = False,
) -> tuple[str, str] | None:
    """(reason, message) why `pod` cannot run beside `others`, None when it can.

    `pressure` are the node's pressure conditions that are true. `unsafe_sysctls` may be set beside the safe
    ones. `apparmor` tells whether the machine enforces AppArmor profiles, `strict_groups` whether the runtime
    can leave an image's groups out.
    """
    forbidden = find_forbidden(pod, unsafe_sysctls)
    if forbidden:
        return SYSCTL_FORBIDDEN, forbidden
    refusal = refuse_at_node(pod, apparmor=apparmor, strict_groups=strict_groups)
    if refusal is not None:
        return refusal
    if pressure and not _withstands(pod, pressure):
        return REASON, f"Pod was rejected: {node_condition(pressure)}"
    shortage = find_shortage(pod, others, allocatable)
    return (shortage[0], f"Pod was rejected: {shortage[1]}") if shortage is not None else None


def find_shortage(
    pod: Mapping[str, Any], others: Sequence[Mapping[str, Any]], allocatable: Mapping[str, str]
) -> tuple[str, str] | None:
    """(reason, message) of what the node has too little of for `pod` beside `others`, None when it fits.

    What the node does not have at all is left to whoever knows of it (upstream's
    removeMissingExtendedResources).
    """
    beside = [other for other in others if not is_terminal(other)]
    limit = whole(allocatable.get("pods", "0"))
    if len(beside) + 1 > limit:
        return _short("pods", 1, len(beside), limit)
    for name in ("cpu", "memory"):
        asked = pod_request(pod, name)
        used = sum(pod_request(other, name) for other in beside)
        quantity = allocatable.get(name, "0")
        capacity = milli(quantity) if name == "cpu" else whole(quantity)
        if asked > 0 and used + asked > capacity:
            return _short(name, asked, used, capacity)
    for name, quantity in allocatable.items():
        counts = is_extended(name) or name.startswith("hugepages-")
        asked = _unclaimed(pod, name) if counts else 0
        if asked > 0:
            used = sum(_unclaimed(other, name) for other in beside)
            if used + asked > whole(quantity):
                return _short(name, asked, used, whole(quantity))
    return None


def _unclaimed(pod: Mapping[str, Any], name: str) -> int:
    """How much of an extended resource the pod asks for, 0 when it has it by a claim."""
    if extended_claim(pod) and any(
        name in claimed_resources(pod, one["name"]) for one in all_containers(pod)
    ):
        return 0
    return pod_request(pod, name)


def _withstands(pod: Mapping[str, Any], pressure: Sequence[str]) -> bool:
    """Whether the pod may come although the node is short (upstream's eviction manager, `Admit`)."""
    if is_critical(pod):
        return True
    if list(pressure) != ["MemoryPressure"]:
        return False
    tolerations = spec_of(pod).get("tolerations") or ()
    return qos_class(pod) != "BestEffort" or tolerates_any(tolerations, MEMORY_PRESSURE)


def _short(name: str, asked: int, used: int, capacity: int) -> tuple[str, str]:
    return f"OutOf{name}", (
        f"Node didn't have enough resource: {name}, requested: {asked}, used: {used}, capacity: {capacity}"
    )
