"""The parts of a pod that can be resized, and whether two of them are the same size. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.kubelet.pod import init_containers, regular_containers, spec_of
from wherry.objects.meta import Object
from wherry.objects.quantity import milli, whole

Fields = Mapping[str, Any]
Sizes = tuple[int, int, int, int]
"""Requested and limited cpu in thousandths, requested and limited memory in bytes; 0 for none."""


def sizes_of(resources: Fields | None) -> Sizes:
    """The cpu and memory of a `resources` field."""
    requests, limits = ((resources or {}).get(kind) or {} for kind in ("requests", "limits"))
    return (
        milli(requests.get("cpu", "0")),
        milli(limits.get("cpu", "0")),
        whole(requests.get("memory", "0")),
        whole(limits.get("memory", "0")),
    )


def is_same_size(one: Fields | None, other: Fields | None) -> bool:
    """Whether two `resources` fields come to the same cpu and memory."""
    return one == other or sizes_of(one) == sizes_of(other)


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a pod was given: `resources` by container, and those of the pod as a whole."""

    containers: Mapping[str, Fields]
    whole: Fields | None = None

    @classmethod
    def of(cls, pod: Object) -> Allocation:
        """What the pod's spec asks for."""
        every = [*init_containers(pod), *regular_containers(pod)]
        return cls({c["name"]: c.get("resources") or {} for c in every}, spec_of(pod).get("resources"))

    def applied(self, pod: Object) -> Object:
        """The pod as if its spec asked for this; the very `pod` when it does."""
        changed: dict[str, Any] = {}
        for kind in ("containers", "initContainers"):
            containers = spec_of(pod).get(kind) or []
            given = [self._given(container) for container in containers]
            if any(now is not then for now, then in zip(given, containers, strict=True)):
                changed[kind] = given
        if not is_same_size(self.whole, spec_of(pod).get("resources")):
            changed["resources"] = self.whole
        return {**pod, "spec": {**spec_of(pod), **changed}} if changed else pod

    def _given(self, container: Object) -> Object:
        resources = self.containers.get(container["name"])
        if resources is None or is_same_size(resources, container.get("resources")):
            return container
        return {**container, "resources": resources}
