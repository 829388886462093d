"""Taint eviction: deletes pods that do not tolerate a NoExecute taint of their node.

A pod that tolerates it for a while is deleted when that time is over, counted from the taint's timeAdded (or
the pod's coming): a restart of this controller changes nothing. A taint set without timeAdded, as `kubectl
taint` sets them, counts from when this controller saw it first, as it does for upstream's.
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
from wherry.controllers.nodes.tolerations import Taint, evict_at, no_execute
from wherry.controllers.timed_eviction import TimedEviction
from wherry.objects.conditions import find_condition
from wherry.objects.meta import Object, format_time, key_of, metadata, name_of, parse_time


def _taints(node: Object | None) -> list[Object]:
    return no_execute((node.get("spec") or {}).get("taints")) if node is not None else []


def _id(taint: Taint) -> str:
    return f"{taint['key']}={taint.get('value') or ''}"


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
        self._first_seen: dict[str, dict[str, str]] = {}
        """When taints that do not say when they were set were seen first: a time by node and taint."""
        environment.cache.add_index(PODS, BY_NODE, node_name_of)
        super().__init__(environment)
        self.cache.on(NODES, self._node_changed)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """Only pods on a tainted node, or with an eviction pending, are of interest."""
        pod = new or old or {}
        key = key_of(pod)
        if key in self._due or any(_taints(cache.get(NODES, name)) for name in node_name_of(pod)):
            return (key,)
        return ()

    def _evict_at(self, pod: Object, now: datetime) -> datetime | None:
        spec = pod.get("spec") or {}
        name = spec.get("nodeName") or ""
        seen = self._first_seen.get(name, {})
        taints = [
            taint if taint.get("timeAdded") else {**taint, "timeAdded": seen.get(_id(taint))}
            for taint in _taints(self.cache.get(NODES, name))
        ]
        return evict_at(taints, spec.get("tolerations") or (), now, _bound_at(pod))

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        name = name_of(new or old or {})
        before, now = self._first_seen.pop(name, {}), format_time(self.clock.now())
        undated = [_id(taint) for taint in _taints(new) if not taint.get("timeAdded")]
        if undated:
            self._first_seen[name] = {one: before.get(one, now) for one in undated}
