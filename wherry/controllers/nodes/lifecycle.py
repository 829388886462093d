"""The node lifecycle controller: hears heartbeats, and acts when they stop.

A node lives as long as its lease is renewed or its status is posted, measured from when this
controller saw it (clocks of nodes need not be right). Each heartbeat only notes the time; a timer
per node looks when the grace period could be over. How fast nodes are given up on is said by `zones`.
Source: pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.coordination.leases import LEASES
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.client.leases import NODE_LEASE_NAMESPACE
from wherry.controllers.base import Controller, Environment
from wherry.controllers.nodes.leases import NodeLeases, renewed_at
from wherry.controllers.nodes.plan import (
    Driving,
    has_other_no_execute,
    needs_no_execute,
    plan_taints,
    readiness,
    says_more,
    silent_conditions,
    unready_pod_conditions,
)
from wherry.controllers.nodes.tolerations import Taint
from wherry.controllers.nodes.zones import Change, Zones
from wherry.objects.conditions import Condition, find_condition
from wherry.objects.errors import ApiError, conflict
from wherry.objects.meta import (
    Object,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    parse_time,
    revision_of,
)

NEW_S = 60.0
"""A node no older than this when it is first seen has just come; of others nothing is told."""
BEHIND_S = 5.0
"""After how long it is looked again whether the watch of leases has caught up: upstream's monitor period."""
OS, ARCH = "kubernetes.io/os", "kubernetes.io/arch"

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
        self._unmarked: dict[str, set[str]] = {}
        self._has_started = False
        self._zones = Zones(environment.config)
        self._leases = NodeLeases(environment.client, environment.cache)
        super().__init__(environment)
        self.cache.add_index(PODS, BY_NODE, node_name_of)
        self.cache.on(LEASES, self._lease_changed)
        self.cache.on(NODES, self._node_changed)
        self.cache.on(PODS, self._pod_changed)

    async def start(self) -> None:
        """Begin; pods seen from now on are new, those seen before were there."""
        self._has_started = True
        for node in self.cache.list(NODES):
            if readiness(node) == "Unknown":  # whoever gave it up may have ended before its pods were marked
                self._all_unmarked(name_of(node))
        await super().start()

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A node that says more than that it still lives: how long it is silent a timer sees."""
        if old is None or new is None or says_more(old, new):
            return super().map_primary(cache, old, new)
        return ()

    async def sync(self, key: str) -> float | None:
        """Mark the node if it is silent, taint it as its conditions say; when to look again."""
        node = self.cache.get(NODES, key)
        if node is None or is_deleting(node):
            self._unmarked.pop(key, None)
            return None
        now = self.clock.monotonic()
        silent_at = self._heard.setdefault(key, now) + self._grace_s(node)
        if now >= silent_at and (conditions := self._silence(node)) is not None:
            if await self._leases.are_behind(key):
                return BEHIND_S
            node = await self._mark_silent(node, conditions)
        retry_s = await self._set_taints(key, node)
        if readiness(node) == "True":
            self._unmarked.pop(key, None)
            return max(silent_at - now, 0.001)
        await self._mark_pods(key)
        return retry_s if retry_s is not None else max(silent_at - now, 0.001) if now < silent_at else None

    def _grace_s(self, node: Object) -> float:
        """New nodes are given more time until their first word."""
        return self.config.node_monitor_grace_s if readiness(node) else self.config.node_startup_grace_s

    def _silence(self, node: Object) -> list[Condition] | None:
        """The conditions the node has from now on as nobody hears of it; None if it has them."""
        conditions = silent_conditions(node, self.clock.now())
        return conditions if conditions != (node.get("status") or {}).get("conditions") else None

    async def _mark_silent(self, node: Object, conditions: list[Condition]) -> Object:
        was_ready = readiness(node) == "True"
        node = await self.write_status(node, {**(node.get("status") or {}), "conditions": conditions})
        if was_ready:
            # What the kubelet itself says of its pods, however it is, is its own business: they leave
            # service when nobody hears of them any more.
            self._all_unmarked(name_of(node))
            message = f"Node {name_of(node)} status is now: NodeNotReady"
            self.events.event(node, NORMAL, "NodeNotReady", message)
        return node

    async def _set_taints(self, key: str, node: Object) -> float | None:
        """Write the taints; seconds until its turn, if it waits for that to be given up on."""
        driving, wait_s = self._driving(node)
        taints, labels = plan_taints(node, driving, self.clock.now()), old_labels(node)
        old: list[Taint] = (node.get("spec") or {}).get("taints") or []
        if labels or (taints != old and not old):
            # Where there are none, nothing but the version says that there are none still.
            meta = {"resourceVersion": revision_of(node), **({"labels": labels} if labels else {})}
            spec = {"spec": {"taints": taints or None}} if taints != old else {}
            await self.patch(key, NODES, node, {"metadata": meta, **spec})
        elif taints != old:
            await self._exchange_taints(key, node, old, taints)
        if driving is Driving.ADD:
            self._come_next(self._zones.given_up(name_of(node), self.clock.monotonic()))
        return wait_s

    async def _exchange_taints(self, key: str, node: Object, old: list[Taint], new: list[Taint]) -> None:
        """Put these taints in place of those, whatever else of the node was written meanwhile.

        A new node is given its addresses just then. Raises ApiError, 409 when it has other taints by now.
        """
        patch = [
            {"op": "test", "path": "/spec/taints", "value": old},
            {"op": "replace", "path": "/spec/taints", "value": new}
            if new
            else {"op": "remove", "path": "/spec/taints"},
        ]
        try:
            await self.patch(key, NODES, node, patch)
        except ApiError as error:
            if error.code != 422:
                raise
            raise conflict(NODES.plural, NODES.group, name_of(node), error.message) from error

    def _driving(self, node: Object) -> tuple[Driving, float | None]:
        """What becomes of the taints that drive pods away, and in how many seconds to ask again."""
        name = name_of(node)
        if self._zones.is_all_down:
            return Driving.REMOVE, None  # no node answers: then it is this end that is cut off
        if not needs_no_execute(node):
            self._come_next(self._zones.spared(name))
            return Driving.KEEP, None
        if has_other_no_execute(node):
            return Driving.ADD, None
        wait_s = self._zones.turn(name, self.clock.monotonic())
        return (Driving.ADD, None) if wait_s == 0 else (Driving.KEEP, wait_s)

    def _come_next(self, name: str | None) -> None:
        if name is not None:
            self.queue.add(name)

    def _all_unmarked(self, name: str) -> None:
        self._unmarked[name] = {key_of(pod) for pod in self.cache.by_index(PODS, BY_NODE, name)}

    async def _mark_pods(self, key: str) -> None:
        """Take out of service what is still to be taken out of it on this node (MarkPodsNotReady)."""
        unmarked = self._unmarked.get(key, set())
        for pod_key in sorted(unmarked):
            if await self._mark_pod(pod_key):
                unmarked.discard(pod_key)
        if unmarked:
            self.queue.add_after(key, 1.0)
        else:
            self._unmarked.pop(key, None)

    async def _mark_pod(self, key: str) -> bool:
        """Whether it is done: the pod says that it is not ready, or is gone."""
        pod = self.cache.get(PODS, key)
        status = (pod or {}).get("status") or {}
        conditions = unready_pod_conditions(status.get("conditions"), self.clock.now())
        if pod is None or conditions is None:
            return True
        try:
            await self.client.update_status(PODS, {**pod, "status": {**status, "conditions": conditions}})
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            return error.code == 404
        self.events.event(pod, WARNING, "NodeNotReady", "Node is not ready")
        return True

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        """A pod that comes to a node that is not ready is not ready either, whatever it says (processPod)."""
        names = node_name_of(new or {})
        if not self._has_started or not names or (old is not None and node_name_of(old) == names):
            return
        node = self.cache.get(NODES, names[0])
        if node is not None and readiness(node) not in ("", "True"):
            self._unmarked.setdefault(names[0], set()).add(key_of(new or {}))
            self.queue.add(names[0])

    def _lease_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None or namespace_of(new) != NODE_LEASE_NAMESPACE:
            return
        if old is None or renewed_at(old) != renewed_at(new):
            self._heard[name_of(new)] = self.clock.monotonic()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            name = name_of(old or {})
            self._heard.pop(name, None)
            self._tell(old or {}, "RemovingNode", "Removing Node {} from Controller")
            change = self._zones.lost(name)
        else:
            if old is None or _heartbeat(old) != _heartbeat(new):
                self._heard[name_of(new)] = self.clock.monotonic()
            if old is None and self._is_new(new):
                self._tell(new, "RegisteredNode", "Registered Node {} in Controller")
            change = self._zones.saw(new)
        if change is not None:
            self._zone_changed(change)

    def _zone_changed(self, change: Change) -> None:
        now = self.clock.monotonic()
        self._come_next(change.next)
        if change.came_back:
            # The fault was not theirs, and is over: all have their time to be heard again.
            self._heard = dict.fromkeys(self._heard, now)
        if change.came_back or change.went_down:
            for silent in self._zones.silent():
                self.queue.add(silent)
        elif change.is_other_state:
            self._come_next(self._zones.at_another_rate(change.zone, now))

    def _is_new(self, node: Object) -> bool:
        made = metadata(node).get("creationTimestamp")
        return made is not None and (self.clock.now() - parse_time(made)).total_seconds() <= NEW_S

    def _tell(self, node: Object, reason: str, what: str) -> None:
        name = name_of(node)
        self.events.event(node, NORMAL, reason, f"Node {name} event: {what.format(name)}")


def old_labels(node: Object) -> dict[str, str]:
    """The labels of old the node is to have beside the present ones (reconcileNodeLabels)."""
    labels = labels_of(node)
    wanted = {f"beta.{name}": labels[name] for name in (OS, ARCH) if labels.get(name)}
    return {name: value for name, value in wanted.items() if labels.get(name) != value}


def _heartbeat(node: Object) -> object:
    ready = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    return ready.get("lastHeartbeatTime") if ready is not None else None
