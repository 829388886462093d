"""Hints: on which NUMA nodes a manager could give a container what it asks for.

The topology manager asks every provider for its hints, merges them, and tells the providers what came of it
before they give anything out. Source: pkg/kubelet/cm/topologymanager (topology_manager.go, HintProvider) and
pkg/kubelet/cm/admission (errors.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

UNEXPECTED = "UnexpectedAdmissionError"
"""The reason of a refusal that has none of its own."""


@dataclass(frozen=True, slots=True)
class TopologyHint:
    """A set of NUMA nodes (numbers as the kernel has them) that would do, None where any would.

    `is_preferred` tells whether no smaller set could ever do.
    """

    nodes: frozenset[int] | None
    is_preferred: bool


Hints = Mapping[str, Sequence[TopologyHint] | None]
"""By resource. None: the resource does not mind; an empty list: no set of nodes would do."""


class AdmissionRefused(Exception):
    """The pod cannot be given what it asks for. `reason` and `message` are what its status says."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def unexpected(cause: object) -> AdmissionRefused:
    """The refusal for a cause that nobody foresaw, in upstream's words."""
    return AdmissionRefused(UNEXPECTED, f"Allocate failed due to {cause}, which is unexpected")


class HintProvider(Protocol):
    """Gives something of the machine to containers: processors, memory or devices."""

    def hints(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> Hints:
        """Where one container could be given what it asks for; what is given out already stays so."""
        ...

    def pod_hints(self, pod: Mapping[str, Any]) -> Hints:
        """The same for a pod as a whole."""
        ...

    def allocate(self, pod: Mapping[str, Any], container: Mapping[str, Any]) -> None:
        """Give a container what it asks for, where the merged hint says if it can be had there.

        Once given, calling it again changes nothing. Raises AdmissionRefused.
        """
        ...


@runtime_checkable
class Releasing(Protocol):
    """A provider that is told when nothing is to be kept for a pod any more: it is gone, or was not taken."""

    def release(self, uid: str) -> None:
        """Take back what the containers of the pod have; harmless when they have nothing."""
        ...


class Affinities(Protocol):
    """What came of the hints: a provider is given one of these when it is made."""

    def affinity(self, uid: str, container: str) -> TopologyHint:
        """The merged hint of a container of the pod `uid`; any node, not preferred, where there is none."""
        ...


NO_AFFINITY = TopologyHint(None, is_preferred=False)
