"""Pods that use more of the node's disk than they may: volumes, containers, pods as a whole. Pure.

Upstream's `localStorageEviction`: the first limit a pod breaks is the one it is evicted for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from wherry.kubelet.eviction.messages import container_over_limit, pod_over_limit, volume_over_limit
from wherry.kubelet.eviction.usage import PodUse
from wherry.kubelet.pod import init_containers, is_sidecar, regular_containers, spec_of
from wherry.objects.quantity import parse_quantity, whole

STORAGE = "ephemeral-storage"


def is_limited(pod: Mapping[str, Any]) -> bool:
    """Whether anything of the pod has a limit on disk, so that it has to be measured."""
    return bool(_volume_limits(pod)) or _pod_limit(pod) is not None


class Excess(NamedTuple):
    """A limit that was broken: what it is counted as in `kubelet_evictions`, and what the pod is told."""

    signal: str
    message: str


def find_excess(pod: Mapping[str, Any], use: PodUse, *, image_disk_apart: bool) -> Excess | None:
    """Why the pod has to go, None if it keeps to its limits.

    With images on a disk of their own, what containers write lies there and is not counted to them.
    """
    for name, size_limit in _volume_limits(pod).items():
        if name in use.volumes and use.volumes[name].bytes > whole(size_limit):
            return Excess("emptydirfs.limit", volume_over_limit(name, size_limit))
    pod_limit = _pod_limit(pod)
    if pod_limit is not None and (use.layers + use.local).bytes > pod_limit:
        return Excess("ephemeralpodfs.limit", pod_over_limit(pod_limit))
    for container in regular_containers(pod):
        limit = _storage_limit(container)
        used = use.containers.get(container["name"])
        if limit is None or used is None:
            continue
        own = used.logs if image_disk_apart else used.logs + used.layer
        if own.bytes > whole(limit):
            return Excess("ephemeralcontainerfs.limit", container_over_limit(container["name"], limit))
    return None


def _volume_limits(pod: Mapping[str, Any]) -> dict[str, str]:
    limits = {
        volume["name"]: (volume.get("emptyDir") or {}).get("sizeLimit")
        for volume in spec_of(pod).get("volumes") or ()
    }
    return {name: str(limit) for name, limit in limits.items() if limit and parse_quantity(limit) > 0}


def _storage_limit(container: Mapping[str, Any]) -> str | None:
    """The container's own limit as written; none for one of nothing (upstream takes it for unset)."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get(STORAGE)
    return str(limit) if limit is not None and parse_quantity(limit) > 0 else None


def _pod_limit(pod: Mapping[str, Any]) -> int | None:
    """What all containers together may use: those that run at once, or an init container alone if more."""
    inits = init_containers(pod)
    together = [*regular_containers(pod), *(c for c in inits if is_sidecar(c))]
    limits = [whole(limit) for c in together if (limit := _storage_limit(c)) is not None]
    alone = [whole(limit) for c in inits if not is_sidecar(c) and (limit := _storage_limit(c)) is not None]
    return max([sum(limits), *alone]) if limits or alone else None
