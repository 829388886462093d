"""Taint eviction: deletes pods that do not tolerate a NoExecute taint of their node.

A pod that tolerates it for a while is deleted when that time is over; nothing is remembered, the
time is counted from the taint (or the pod's coming), so a restart of this controller changes nothing.
Source: pkg/controller/tainteviction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL
from wherry.controllers.base import Controller, Environment
from wherry.controllers.nodes.lifecycle import BY_NODE, node_name_of
from wherry.controllers.nodes.tolerations import evict_at, no_execute
from wherry.controllers.pod_control import report_disruption
from wherry.objects.conditions import find_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, key_of, metadata, parse_time


def _taints(node: Object | None) -> list[Object]:
    return no_execute((node.get("spec") or {}).get("taints")) if node is not None else []


def _bound_at(pod: Object) -> datetime | None:
    """When the pod came to its node, as far as it says so."""
    scheduled = find_condition((pod.get("status") or {}).get("conditions"), "PodScheduled")
    since = (scheduled or {}).get("lastTransitionTime") or metadata(pod).get("creationTimestamp")
    return parse_time(since) if since else None


def pods_of_tainted(cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
    """A change of NoExecute taints concerns all pods of the node."""
    if new is None or _taints(old) == _taints(new):
        return []
    return [key_of(pod) for pod in cache.by_index(PODS, BY_NODE, new["metadata"]["name"])]


class TaintEviction(Controller):
    """Deletes what its node's taints drive away."""

    name = "taint-eviction"
    account = "node-controller"
    component = "taint-eviction-controller"
    primary = PODS
    watches: ClassVar = {NODES: pods_of_tainted}

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_NODE, node_name_of)
        self._due: set[str] = set()
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Only pods on a tainted node, or with an eviction pending, are of interest."""
        pod = new or old or {}
        key = key_of(pod)
        if key in self._due or any(_taints(cache.get(NODES, name)) for name in node_name_of(pod)):
            return (key,)
        return ()

    async def sync(self, key: str) -> float | None:
        """Delete the pod if its time is over, else come again when it is."""
        pod = self.cache.get(PODS, key)
        if pod is None or is_deleting(pod):
            self._due.discard(key)
            return None
        spec = pod.get("spec") or {}
        taints = _taints(self.cache.get(NODES, spec.get("nodeName") or ""))
        now = self.clock.now()
        due = evict_at(taints, spec.get("tolerations") or (), now, _bound_at(pod))
        if due is None:
            if key in self._due:
                self._due.discard(key)
                self.events.event(pod, NORMAL, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return None
        self._due.add(key)
        if due > now:
            return (due - now).total_seconds()
        await self._evict(key, pod)
        self._due.discard(key)
        return None

    async def _evict(self, key: str, pod: Object) -> None:
        self.events.event(pod, NORMAL, "TaintManagerEviction", f"Marking for deletion Pod {key}")
        message = "Taint manager: deleting due to NoExecute taint"
        try:
            await report_disruption(self.client, self.clock, pod, "DeletionByTaintManager", message)
        except ApiError as error:
            if error.code != 404:
                raise
        await self.delete(key, PODS, pod)
