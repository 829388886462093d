"""The topology manager: a pod is taken only if all that it asks for can be had as the policy wants.

Source: pkg/kubelet/cm/topologymanager (topology_manager.go, scope_container.go, scope_pod.go, scope_none.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology.hints import (
    NO_AFFINITY,
    AdmissionRefused,
    HintProvider,
    Releasing,
    TopologyHint,
)
from wherry.kubelet.topology.layout import Layout
from wherry.kubelet.topology.merging import NumaInfo, merge
from wherry.kubelet.topology.requests import containers_of
from wherry.kubelet.topology.settings import ManagerSettings, SettingsError
from wherry.objects.meta import uid_of

AFFINITY = "TopologyAffinityError"
MESSAGE = "Resources cannot be allocated with Topology locality"


class Affinity:
    """The merged hints of containers that were admitted (`Affinities`)."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, TopologyHint]] = {}

    def affinity(self, uid: str, container: str) -> TopologyHint:
        """See Affinities."""
        return self._found.get(uid, {}).get(container, NO_AFFINITY)

    def note(self, uid: str, container: str, hint: TopologyHint) -> None:
        """The merged hint of a container."""
        self._found.setdefault(uid, {})[container] = hint

    def forget(self, uid: str) -> None:
        """The pod is gone, or was not taken."""
        self._found.pop(uid, None)


class TopologyManager:
    """Asks the `providers`, in their order. Raises SettingsError for too many NUMA nodes."""

    def __init__(
        self,
        settings: ManagerSettings,
        layout: Layout,
        affinity: Affinity,
        providers: Sequence[HintProvider],
        metrics: KubeletMetrics,
        monotonic: Callable[[], float],
    ) -> None:
        self._policy, self._scope = settings.topology_policy, settings.topology_scope
        if self._policy != "none" and len(layout.nodes) > settings.most_nodes:
            raise SettingsError(f"unsupported on machines with more than {settings.most_nodes} NUMA Nodes")
        distances = {number: node.distances for number, node in layout.nodes.items()}
        self._info = NumaInfo(frozenset(layout.nodes), distances, settings.prefers_closest)
        self._affinity = affinity
        self._providers = list(providers)
        self._metrics = metrics
        self._monotonic = monotonic

    def admit(self, pod: Mapping[str, Any]) -> None:
        """Give every container of the pod what it asks for; all or nothing. Raises AdmissionRefused."""
        self._metrics.topology_requests.inc()
        began = self._monotonic()
        try:
            self._admit(pod)
        except AdmissionRefused:
            if self._policy != "none":
                self._metrics.topology_errors.inc()
            self.release(uid_of(pod))
            raise
        finally:
            self._metrics.topology_duration_ms.observe((self._monotonic() - began) * 1000)

    def _admit(self, pod: Mapping[str, Any]) -> None:
        whole = None
        if self._policy != "none" and self._scope == "pod":
            whole = self._merge([provider.pod_hints(pod) for provider in self._providers])
        for container in containers_of(pod):
            if self._policy != "none":
                hint = whole or self._merge([p.hints(pod, container) for p in self._providers])
                self._affinity.note(uid_of(pod), container["name"], hint)
            for provider in self._providers:
                provider.allocate(pod, container)

    def _merge(self, told: Sequence[Any]) -> TopologyHint:
        hint, is_admitted = merge(self._info, self._policy, told)
        if not is_admitted:
            raise AdmissionRefused(AFFINITY, MESSAGE)
        return hint

    def release(self, uid: str) -> None:
        """Nothing is kept for the pod any more."""
        self._affinity.forget(uid)
        for provider in self._providers:
            if isinstance(provider, Releasing):
                provider.release(uid)
