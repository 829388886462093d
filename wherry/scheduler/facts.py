"""What the scheduler wants to know of a pod, read once from the API object.

Quantities become whole numbers: CPU in millicores, everything else rounded up to units. Pods that
ask for nothing count with upstream's 100m and 200 MB when nodes are compared (never when it is
checked whether they fit), so that many small pods still spread.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.api.core.pod_resources import pod_requests
from wherry.objects.meta import Object, key_of, name_of, uid_of

DEFAULT_CPU_MILLI = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

HostPort = tuple[str, str, int]
"""(host address or 0.0.0.0, protocol, port)."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod as the plugins see it.

    `requests` has CPU in millicores under "cpu", bytes or counts under the other names.
    `score_cpu` and `score_memory` are the requests with upstream's defaults for absent ones.
    """

    key: str
    uid: str
    priority: int
    requests: Mapping[str, int]
    score_cpu: int
    score_memory: int
    host_ports: tuple[HostPort, ...]
    node_name: str
    node_selector: Mapping[str, str]
    required_terms: tuple[Mapping[str, Any], ...] | None
    preferred_terms: tuple[Mapping[str, Any], ...]
    tolerations: tuple[Mapping[str, Any], ...]
    claims: tuple[tuple[str, bool], ...]
    """Names of its PersistentVolumeClaims, and whether each is made for the pod alone (ephemeral)."""
    pod: Object = field(repr=False)


def read_pod(pod: Object) -> PodFacts:
    """The facts of a pod."""
    spec: Mapping[str, Any] = pod.get("spec") or {}
    requests = {
        name: math.ceil(amount * 1000) if name == "cpu" else math.ceil(amount)
        for name, amount in pod_requests(pod).items()
    }
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    containers = len(spec.get("containers") or ())
    return PodFacts(
        key=key_of(pod),
        uid=uid_of(pod),
        priority=spec.get("priority") or 0,
        requests=requests,
        score_cpu=requests.get("cpu") or DEFAULT_CPU_MILLI * containers,
        score_memory=requests.get("memory") or DEFAULT_MEMORY_BYTES * containers,
        host_ports=_host_ports(spec),
        node_name=spec.get("nodeName") or "",
        node_selector=spec.get("nodeSelector") or {},
        required_terms=None if required is None else tuple(required.get("nodeSelectorTerms") or ()),
        preferred_terms=tuple(affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()),
        tolerations=tuple(spec.get("tolerations") or ()),
        claims=_claims(pod),
        pod=pod,
    )


def _claims(pod: Object) -> tuple[tuple[str, bool], ...]:
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("persistentVolumeClaim") is not None:
            found.append((volume["persistentVolumeClaim"].get("claimName") or "", False))
        elif volume.get("ephemeral") is not None:
            # As upstream's controller calls it (component-helpers/storage/ephemeral, VolumeClaimName).
            found.append((f"{name_of(pod)}-{volume['name']}", True))
    return tuple(found)


def _host_ports(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return tuple(
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", port["hostPort"])  # noqa: S104
        for container in [*(spec.get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )
