"""Whether this node has room for a pod that was bound to it.

The scheduler sees to it, but a pod can be bound by hand, or two schedulers may both see the last place.
Pure; texts are upstream's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.cgroups import pod_request
from wherry.kubelet.pod import is_terminal
from wherry.objects.quantity import milli, whole


def find_objection(
    pod: Mapping[str, Any], others: Sequence[Mapping[str, Any]], allocatable: Mapping[str, str]
) -> tuple[str, str] | None:
    """(reason, message) why `pod` cannot run beside `others`, None when it can."""
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
    return None


def _short(name: str, asked: int, used: int, capacity: int) -> tuple[str, str]:
    return f"OutOf{name}", (
        f"Pod was rejected: Node didn't have enough resource: {name}, "
        f"requested: {asked}, used: {used}, capacity: {capacity}"
    )
