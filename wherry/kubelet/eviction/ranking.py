"""Which pod goes first when the node runs short. Pure; upstream's order (`helpers.go`, `rank...Pressure`).

Who uses more than was asked for goes before who does not, then the less important, then who uses most
beyond what was asked for. Of process ids there is nothing to ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kit.disk_usage import Usage
from wherry.kubelet.cgroups import pod_request
from wherry.kubelet.eviction.signals import IMAGE_DISK, IMAGE_INODES, MEMORY, PIDS, Signal
from wherry.kubelet.eviction.usage import PodUse, Uses
from wherry.kubelet.pod import is_static, spec_of
from wherry.objects.meta import Object, uid_of

SYSTEM_CRITICAL = 2_000_000_000
"""The priority of `system-cluster-critical`; nobody else may have as much."""


def is_critical(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is never evicted: static, or one of the system's own (upstream's IsCriticalPod)."""
    return is_static(pod) or priority_of(pod) >= SYSTEM_CRITICAL


def priority_of(pod: Mapping[str, Any]) -> int:
    """How important the pod is."""
    return int(spec_of(pod).get("priority") or 0)


def rank_pods(pods: Sequence[Object], uses: Uses, signal: Signal, *, image_disk_apart: bool) -> list[Object]:
    """The pods in the order in which they are to go. One nobody can measure goes first."""

    def key(pod: Object) -> tuple[object, ...]:
        use = uses.get(uid_of(pod))
        priority = priority_of(pod)
        if signal == PIDS:
            return (priority, use is not None, -use.pids if use is not None else 0)
        if use is None:
            return (False, False, priority, 0)
        used, asked = _used_and_asked(pod, use, signal, image_disk_apart=image_disk_apart)
        return (True, used <= asked, priority, asked - used)

    return sorted(pods, key=key)


def _used_and_asked(pod: Object, use: PodUse, signal: Signal, *, image_disk_apart: bool) -> tuple[int, int]:
    if signal == MEMORY:
        return use.memory, pod_request(pod, "memory")
    usage = _on_disk(use, signal, image_disk_apart=image_disk_apart)
    if signal.resource == "inodes":
        return usage.inodes, 0
    return usage.bytes, pod_request(pod, "ephemeral-storage")


def _on_disk(use: PodUse, signal: Signal, *, image_disk_apart: bool) -> Usage:
    """What the pod has on the disk that runs short."""
    if not image_disk_apart:
        return use.layers + use.local
    return use.layers if signal in (IMAGE_DISK, IMAGE_INODES) else use.local
