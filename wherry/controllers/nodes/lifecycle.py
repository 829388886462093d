"""The node lifecycle controller: hears heartbeats, and acts when they stop.

A node lives as long as its lease is renewed or its status is posted, measured from when this
controller saw it (clocks of nodes need not be right). Each heartbeat only notes the time; a timer
per node looks when the grace period could be over.
"""

from __future__ import annotations

from typing import ClassVar

from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.events import NORMAL, WARNING
from wherry.client.leases import NODE_LEASE_NAMESPACE
from wherry.controllers.base import Controller, Environment
from wherry.controllers.nodes.plan import (
    is_disrupted,
    needs_no_execute,
    plan_taints,
    readiness,
    silent_conditions,
    unready_pod_conditions,
)
from wherry.objects.conditions import find_condition
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, is_deleting, name_of, namespace_of, revision_of

EVICTION_INTERVAL_S = 10.0
"""One node at a time is given up on, upstream's default of 0.1 per second."""

BY_NODE = "node"


def node_name_of(pod: Object) -> list[str]:
    """The index of pods by node."""
    name = (pod.get("spec") or {}).get("nodeName")
    return [name] if name else []


class NodeLifecycle(Controller):
    """Conditions and taints of nodes."""

    name = "node"
    account = "node-controller"
    component = "node-controller"
    primary = NODES
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        self._heard: dict[str, float] = {}
        self._ready: dict[str, bool] = {}
        """Whether each node is ready, and below the names of those that are not: nobody counts them anew."""
        self._silent: set[str] = set()
        self._evict_from = 0.0
        super().__init__(environment)
        self.cache.add_index(PODS, BY_NODE, node_name_of)
        self.cache.on(LEASES, self._lease_changed)
        self.cache.on(NODES, self._node_changed)

    async def sync(self, key: str) -> float | None:
        """Mark the node if it is silent, taint it as its conditions say; when to look again."""
        node = self.cache.get(NODES, key)
        if node is None or is_deleting(node):
            return None
        now = self.clock.monotonic()
        silent_at = self._heard.setdefault(key, now) + self._grace_s(node)
        if now >= silent_at:
            node = await self._mark_silent(node)
        retry_s = await self._set_taints(key, node)
        if readiness(node) == "True":
            return max(silent_at - now, 0.001)
        await self._mark_pods(key, node)
        return retry_s if retry_s is not None else max(silent_at - now, 0.001) if now < silent_at else None

    def _grace_s(self, node: Object) -> float:
        """New nodes are given more time until their first word."""
        return self.config.node_monitor_grace_s if readiness(node) else self.config.node_startup_grace_s

    async def _mark_silent(self, node: Object) -> Object:
        status = node.get("status") or {}
        conditions = silent_conditions(node, self.clock.now())
        if conditions == status.get("conditions"):
            return node
        was_ready = readiness(node) == "True"
        node = await self.write_status(node, {**status, "conditions": conditions})
        if was_ready:
            message = f"Node {name_of(node)} status is now: NodeNotReady"
            self.events.event(node, NORMAL, "NodeNotReady", message)
        return node

    async def _set_taints(self, key: str, node: Object) -> float | None:
        """Write the taints; seconds until an eviction that has to wait its turn may begin."""
        now = self.clock.monotonic()
        wants = needs_no_execute(node)
        silent = len(self._silent) + (name_of(node) not in self._silent)
        disrupted = wants and is_disrupted(len(self._ready), silent)
        may_evict = wants and not disrupted and now >= self._evict_from
        taints = plan_taints(node, may_evict, self.clock.now())
        current = (node.get("spec") or {}).get("taints") or []
        if taints != current:
            patch: Object = {
                "metadata": {"resourceVersion": revision_of(node)},
                "spec": {"taints": taints or None},
            }
            await self.patch(key, NODES, node, patch)
            if may_evict:
                self._evict_from = now + EVICTION_INTERVAL_S
        if not wants or may_evict or disrupted:
            return None
        return max(self._evict_from - now, 0.001)

    async def _mark_pods(self, key: str, node: Object) -> None:
        """Take pods of a node that is not ready out of service."""
        for pod in self.cache.by_index(PODS, BY_NODE, name_of(node)):
            status = pod.get("status") or {}
            conditions = unready_pod_conditions(status.get("conditions"), self.clock.now())
            if conditions is None:
                continue
            self.events.event(pod, WARNING, "NodeNotReady", "Node is not ready")
            try:
                marked = {**pod, "status": {**status, "conditions": conditions}}
                await self.client.update_status(PODS, marked)
            except ApiError as error:
                if error.code not in (404, 409):  # 409: its next sync sees what changed
                    raise
                self.queue.add_after(key, 1.0)

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or namespace_of(new) != NODE_LEASE_NAMESPACE:
            return
        if old is None or (old.get("spec") or {}).get("renewTime") != (new.get("spec") or {}).get(
            "renewTime"
        ):
            self._heard[name_of(new)] = self.clock.monotonic()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        was_disrupted = is_disrupted(len(self._ready), len(self._silent))
        if new is None:
            name = name_of(old or {})
            self._heard.pop(name, None)
            self._ready.pop(name, None)
            self._silent.discard(name)
        else:
            name = name_of(new)
            if old is None or _heartbeat(old) != _heartbeat(new):
                self._heard[name] = self.clock.monotonic()
            self._ready[name] = readiness(new) == "True"
            (self._silent.discard if self._ready[name] else self._silent.add)(name)
        if was_disrupted and not is_disrupted(len(self._ready), len(self._silent)):
            # The fault was not theirs, and is over: those that are still silent may be given up on.
            for silent in self._silent:
                self.queue.add(silent)


def _heartbeat(node: Object) -> object:
    ready = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    return ready.get("lastHeartbeatTime") if ready is not None else None
