"""Pods nobody will clean up: of nodes that are gone or out of service, never scheduled, or ended long ago.

Keys: `node/<name>` for the pods of a node that may be gone, `pod/<key>` for a pod that is deleted
without ever having had a node, or on one somebody has said is out of service, `ended` for the number of
ended pods. Source: pkg/controller/podgc/gc_controller.go, KEP-2268.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.controllers.nodes.lifecycle import BY_NODE, node_name_of
from wherry.controllers.nodes.plan import readiness
from wherry.controllers.pod_control import report_disruption
from wherry.objects.errors import ApiError
from wherry.objects.meta import (
    Object,
    is_deleting,
    key_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)

ENDED = "ended"
PHASES = ("Succeeded", "Failed")
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def phase_of(pod: Object | None) -> str:
    """`status.phase`, "" when there is none."""
    phase: str = ((pod or {}).get("status") or {}).get("phase") or ""
    return phase


def plan_surplus(pods: Iterable[Object], threshold: int) -> list[Object]:
    """The ended pods beyond `threshold` (0: no limit), evicted ones first, then the oldest."""
    ended = [pod for pod in pods if phase_of(pod) in PHASES]
    if threshold <= 0 or len(ended) <= threshold:
        return []

    def order(pod: Object) -> tuple[bool, str, str]:
        evicted = (pod.get("status") or {}).get("reason") == "Evicted"
        return not evicted, metadata(pod).get("creationTimestamp") or "", name_of(pod)

    return sorted(ended, key=order)[: len(ended) - threshold]


def is_out_of_service(node: Object | None) -> bool:
    """Whether somebody has said of a node that is not ready that nothing runs there any more."""
    taints = ((node or {}).get("spec") or {}).get("taints") or ()
    is_said = any(taint.get("key") == OUT_OF_SERVICE for taint in taints)
    return is_said and readiness(node or {}) != "True"


def node_gone(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A node that is gone leaves pods behind, one out of service those that are being deleted."""
    if new is None and old is not None:
        yield f"node/{name_of(old)}"
    elif new is not None and is_out_of_service(new) and not is_out_of_service(old):
        for pod in cache.by_index(PODS, BY_NODE, name_of(new)):
            if is_deleting(pod):
                yield f"pod/{key_of(pod)}"


class PodGc(Controller):
    """Deletes such pods at once, without waiting for a kubelet that will never answer."""

    name = "pod-garbage-collector"
    account = "pod-garbage-collector"
    primary = PODS
    watches: ClassVar = {NODES: node_gone}
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_NODE, node_name_of)
        self._missing_since: dict[str, float] = {}
        self._ended: set[str] = set()
        """Keys of the pods that have ended."""
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """See the module's description of keys."""
        if new is None:
            self._ended.discard(key_of(old or {}))
            return
        nodes = node_name_of(new)
        if nodes and cache.get(NODES, nodes[0]) is None:
            yield f"node/{nodes[0]}"
        if is_deleting(new) and (not nodes or is_out_of_service(cache.get(NODES, nodes[0]))):
            yield f"pod/{key_of(new)}"
        if phase_of(new) in PHASES and key_of(new) not in self._ended:
            self._ended.add(key_of(new))
            if 0 < self.config.terminated_pod_threshold < len(self._ended):
                yield ENDED

    async def sync(self, key: str) -> float | None:
        """Collect what the key names."""
        kind, _, rest = key.partition("/")
        if kind == "node":
            return await self._collect_orphans(rest)
        if kind == "pod":
            pod = self.cache.get(PODS, rest)
            if pod is not None and is_deleting(pod) and self._is_forsaken(pod):
                await self._remove(pod, "")
            return None
        ended = [pod for ended in self._ended if (pod := self.cache.get(PODS, ended)) is not None]
        for pod in plan_surplus(ended, self.config.terminated_pod_threshold):
            await self._remove(pod, "")
        return None

    def _is_forsaken(self, pod: Object) -> bool:
        """Whether no kubelet will ever end the pod."""
        nodes = node_name_of(pod)
        return not nodes or is_out_of_service(self.cache.get(NODES, nodes[0]))

    async def _collect_orphans(self, node: str) -> float | None:
        """Delete a lost node's pods, once it was missing for a while and the server confirms it."""
        if self.cache.get(NODES, node) is not None or not self.cache.by_index(PODS, BY_NODE, node):
            self._missing_since.pop(node, None)
            return None
        now = self.clock.monotonic()
        due = self._missing_since.setdefault(node, now) + self.config.orphan_quarantine_s
        if now < due:
            return due - now
        try:
            await self.client.get(NODES, node)
        except ApiError as error:
            if error.code != 404:
                raise
        else:
            return self.config.orphan_quarantine_s  # it is there, the cache is behind
        for pod in self.cache.by_index(PODS, BY_NODE, node):
            await self._remove(pod, "PodGC: node no longer exists")
        self._missing_since.pop(node, None)
        return None

    async def _remove(self, pod: Object, disruption: str) -> None:
        try:
            if phase_of(pod) not in PHASES:
                await self._mark_failed(pod, disruption)
            await self.client.delete(PODS, name_of(pod), namespace_of(pod), grace_period_s=0, uid=uid_of(pod))
        except ApiError as error:
            if error.code != 404:
                raise

    async def _mark_failed(self, pod: Object, disruption: str) -> None:
        """End the pod on paper first: its owner must not count on it any more."""
        if disruption:
            await report_disruption(
                self.client, self.clock, pod, "DeletionByPodGC", disruption, phase="Failed"
            )
            return
        patch: Object = {"metadata": {"uid": uid_of(pod)}, "status": {"phase": "Failed"}}
        await self.client.patch(PODS, name_of(pod), namespace_of(pod), patch, subresource="status")
