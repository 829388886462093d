"""What belongs to a node: the pods on it, what these refer to, and other objects that name it.

Source: plugin/pkg/auth/authorizer/node/graph.go. There is no graph here: pods are indexed by node, and what a
pod refers to is read once for each of its versions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from wherry.api.certificates.pod_certificate_requests import POD_CERTIFICATE_REQUESTS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pod_spec.annotations import MIRROR
from wherry.api.core.pod_spec.references import claim_names
from wherry.api.core.pods import PODS
from wherry.api.dynamicresources.resource_slices import RESOURCE_SLICES
from wherry.api.resource import Resource
from wherry.api.storage.volume_attachments import VOLUME_ATTACHMENTS
from wherry.apiserver.cached import Cached
from wherry.apiserver.registry import Registry
from wherry.kit.remembered import Recent
from wherry.objects.meta import Object, annotations_of

log = logging.getLogger(__name__)

Names = Callable[[Object], set[str]]
REFERENCES_BYTES = 8 * 1024 * 1024
"""What the names that pods refer to may take: those of thousands of pods, of some dozens of busy nodes."""
ENTRY_BYTES = 200
"""What an entry, and about a third of it each of its names, takes beside the characters."""
OF_NODES = (PERSISTENT_VOLUMES, POD_CERTIFICATE_REQUESTS, RESOURCE_SLICES, VOLUME_ATTACHMENTS)
"""Kinds besides pods that tell themselves which node they are of."""


class NodeGraph:
    """Answers from the caches. The sources of pods and of the kinds `OF_NODES` must be ready."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._references = _References()

    def has_pod(self, node: str, namespace: str, name: str) -> bool:
        """Whether the pod is bound to the node."""
        pod = self._registry.of(PODS).get(namespace, name)
        return pod is not None and pod.value("spec.nodeName") == node

    def refers(self, node: str, namespace: str, name: str, names_in: Names) -> bool:
        """Whether a pod on the node refers to that name, among those `names_in` reads off it."""
        return any(
            pod.namespace == namespace and name in self._references.of(pod, names_in)
            for pod in self._pods_on(node)
        )

    def uses_volume(self, node: str, name: str) -> bool:
        """Whether a pod on the node uses the claim the PersistentVolume is bound to."""
        claim = (self._spec_of(PERSISTENT_VOLUMES, "", name).get("claimRef")) or {}
        return bool(claim) and self.refers(
            node, claim.get("namespace") or "", claim.get("name") or "", claim_names
        )

    def names_node(self, resource: Resource, node: str, namespace: str, name: str) -> bool:
        """Whether the object says `spec.nodeName: node`."""
        return self._spec_of(resource, namespace, name).get("nodeName") == node

    def _spec_of(self, resource: Resource, namespace: str, name: str) -> Object:
        """The spec of an object, empty if there is none."""
        cached = self._registry.of(resource).get(namespace, name)
        return (cached.decode().get("spec") or {}) if cached is not None else {}

    def _pods_on(self, node: str) -> Iterable[Cached]:
        cacher = self._registry.of(PODS).cacher
        found = cacher.by_value("spec.nodeName", node)
        if found is not None:
            return found
        # No kubelet has asked for its pods yet, so there is no index. What does not contain the node's name
        # cannot be on it, and finding that out costs a fiftieth of decoding a pod.
        name = f'"{node}"'.encode()
        pods = (pod for pod in cacher.list()[0] if name in pod.data)
        return [pod for pod in pods if pod.value("spec.nodeName") == node]


class _References:
    """What the pods somebody asked about refer to: read once for each version of a pod."""

    def __init__(self) -> None:
        self._known: Recent[tuple[str, Names], tuple[int, frozenset[str]]] = Recent(REFERENCES_BYTES)

    def of(self, pod: Cached, names_in: Names) -> frozenset[str]:
        """The names of one kind the pod refers to; none for a mirror pod, which its node makes itself."""
        known = self._known.get((pod.key, names_in))
        if known is not None and known[0] == pod.revision:
            return known[1]
        try:
            decoded = pod.decode()
            names = frozenset(() if MIRROR in annotations_of(decoded) else names_in(decoded))
        except Exception:
            log.exception("what the pod %s refers to cannot be read", pod.key)
            names = frozenset()
        size = ENTRY_BYTES + len(pod.key) + sum(map(len, names)) + ENTRY_BYTES // 3 * len(names)
        self._known.put((pod.key, names_in), (pod.revision, names), size)
        return names
