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
from wherry.controllers.base import Environment
from wherry.controllers.nodes.lifecycle import BY_NODE, node_name_of
from wherry.controllers.nodes.tolerations import evict_at, no_execute
from wherry.controllers.timed_eviction import TimedEviction
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, key_of, metadata, parse_time


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


class TaintEviction(TimedEviction):
    """Deletes what its node's taints drive away."""

    name = "taint-eviction"
    account = "node-controller"
    component = "taint-eviction-controller"
    reason = "TaintManagerEviction"
    marked = "Marking for deletion Pod {key}"
    spared = "Cancelling deletion of Pod {key}"
    disruption = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    watches: ClassVar = {NODES: pods_of_tainted}

    def __init__(self, environment: Environment) -> None:
        environment.cache.add_index(PODS, BY_NODE, node_name_of)
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Only pods on a tainted node, or with an eviction pending, are of interest."""
        pod = new or old or {}
        key = key_of(pod)
        if key in self._due or any(_taints(cache.get(NODES, name)) for name in node_name_of(pod)):
            return (key,)
        return ()

    def _evict_at(self, pod: Object, now: datetime) -> datetime | None:
        spec = pod.get("spec") or {}
        taints = _taints(self.cache.get(NODES, spec.get("nodeName") or ""))
        return evict_at(taints, spec.get("tolerations") or (), now, _bound_at(pod))
