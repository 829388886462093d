"""From watches to the world and the queue: what every change of the cluster means to the scheduler
(`Feed`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.nodes import NODES
from wherry.api.core.pod_resources import reported_amounts
from wherry.api.core.pods import PODS
from wherry.api.scheduling.pod_groups import POD_GROUPS
from wherry.client.cache import Cache
from wherry.objects.meta import Object, is_deleting, key_of, labels_of, name_of, uid_of
from wherry.scheduler.device_feed import DeviceFeed
from wherry.scheduler.facts import DEFAULT_SCHEDULER, PodFacts, PodReader
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.known import CLAIM_RESOURCES, SELECTOR_RESOURCES, selector_of
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.world import World

log = logging.getLogger(__name__)


class Feed:
    """Keeps a world and a queue up to date for the schedulers called `names`."""

    def __init__(self, world: World, queue: PodQueue, names: Collection[str]) -> None:
        self._world = world
        self._queue = queue
        self._names = frozenset(names)
        self._reader = PodReader()
        self._devices = DeviceFeed(world, queue)

    def follow(self, cache: Cache) -> None:
        """Hear of everything in the cache from now on."""
        cache.on(NODES, self._node_changed)
        cache.on(PODS, self._pod_changed)
        cache.on(NAMESPACES, self._namespace_changed)
        for resource in CLAIM_RESOURCES:
            cache.on(resource, self._claim_changed)
        for resource in SELECTOR_RESOURCES:
            cache.on(resource, self._selector_changed)
        self._devices.follow(cache)

    def follow_groups(self, cache: Cache) -> None:
        """Hear of pod groups, too, which are not served where beta versions are not."""
        cache.on(POD_GROUPS, self._group_changed)

    def is_ours(self, pod: Object) -> bool:
        """Whether a pod is to be given a node by us."""
        spec = pod.get("spec") or {}
        return (
            not spec.get("nodeName")
            and spec.get("schedulerName", DEFAULT_SCHEDULER) in self._names
            and not spec.get("schedulingGates")
            and not is_deleting(pod)
            and not is_finished(pod)
        )

    def read(self, pod: Object) -> PodFacts:
        """The facts of a pod. Raises ValueError."""
        return self._reader.read(pod)

    def assumed(self, pod: PodFacts, node: str) -> None:
        """A pod was given a node."""
        self._tell(Change(Kind.POD_PLACED, {node: None}, {pod.uid: pod}))

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        if pod is None:
            return
        self._world.groups.pod_changed(old, new)
        node = (pod.get("spec") or {}).get("nodeName")
        if new is None or is_finished(new):
            self._gone(uid_of(pod))
        elif node:
            self._on_node(old, new, node)
        elif self.is_ours(new):
            self._pending(old, new)
        else:
            self._queue.remove(uid_of(new))
            if self._world.is_nominated(uid_of(new)):
                self._gone(uid_of(new))

    def _gone(self, uid: str) -> None:
        self._queue.remove(uid)
        placement = self._world.displace(uid)
        if placement is not None:
            self._tell(Change(Kind.POD_GONE, {placement.node: None}, {uid: placement.pod}))

    def _on_node(self, old: Object | None, new: Object, node: str) -> None:
        uid = uid_of(new)
        self._queue.remove(uid)
        before = self._world.placed.get(uid)
        is_known = before is not None and before.node == node and not before.is_nominated
        if (
            before is not None
            and is_known
            and not before.is_assumed
            and old is not None
            and is_deleting(new) == before.pod.is_deleting
            and old.get("spec") == new.get("spec")
            and labels_of(old) == labels_of(new)
            and reported_amounts(old) == reported_amounts(new)
        ):
            return  # the rest of its status
        try:
            facts = self.read(new)
        except ValueError as error:
            log.warning("pod %s on node %s is not counted: %s", uid, node, error)
            return
        self._world.place(facts, node)
        if before is None or not is_known:
            if before is not None:
                self._tell(Change(Kind.POD_GONE, {before.node: None}, {uid: before.pod}))
            self._tell(Change(Kind.POD_PLACED, {node: None}, {uid: facts}))
        else:
            self._tell_differences(before.pod, facts, node)

    def _tell_differences(self, before: PodFacts, now: PodFacts, node: str) -> None:
        """A placed pod holds less, or is another to those who look at labels (as with its node's zone,
        which the binding gives it).
        """
        old, new = before.template, now.template
        if old is not new and old.requests != new.requests:
            self._tell(Change(Kind.POD_GONE, {node: None}, {now.uid: before}))
        if old.label_set != new.label_set or before.is_deleting != now.is_deleting:
            both = {f"{now.uid}, before": before, now.uid: now}
            self._tell(Change(Kind.POD_LABELS, {node: None}, both))

    def _pending(self, old: Object | None, new: Object) -> None:
        uid = uid_of(new)
        placement = self._world.placed.get(uid)
        if placement is not None and placement.is_assumed:
            return  # being bound
        try:
            facts = self.read(new)
        except ValueError as error:
            log.warning("pod %s cannot be scheduled: %s", uid, error)
            return
        is_new = uid not in self._queue or old is None or not _asks_alike(old, new)
        if self._nominate(facts, _nominated(old)) or is_new:
            self._queue.put(facts)
        else:
            self._queue.renew(facts)
            self._devices.pod_changed(old, new)

    def _nominate(self, pod: PodFacts, before: str) -> bool:
        """Take over the node a pod is nominated to, and was `before`; whether others named it, not us.

        Such a pod is tried at once: either it fits there, or what is kept for it is given back.
        """
        promised = self._world.nomination(pod.uid)
        node = pod.nominated_node
        if promised is not None and (promised.node == node or (not node and promised.node != before)):
            return False  # it is ours, written or not written yet
        if promised is not None:
            self._world.displace(pod.uid)
            self._tell(Change(Kind.POD_GONE, {promised.node: None}, {pod.uid: pod}))
        if not node:
            return False
        self._world.place(pod, node, is_nominated=True)
        return True

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                self._world.remove_node(name_of(old))
                self._tell(Change(Kind.NODE, {name_of(old): None}, {}))
            return
        if old is not None and scheduling_view(old) == scheduling_view(new):
            if _images(old) != _images(new):
                self._world.set_node(new)
            return  # a heartbeat
        self._world.set_node(new)
        self._tell(Change(Kind.NODE, {name_of(new): None}, {}))

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        if pod is None:
            return
        if self._world.set_namespace(name_of(pod), None if new is None else labels_of(new)):
            self._tell(Change(Kind.NAMESPACES, {}, {}))

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        self._world.touched()
        self._tell(Change(Kind.CLAIMS, {key_of(new or old or {}): None}, {}))

    def _group_changed(self, old: Object | None, new: Object | None) -> None:
        key = key_of(new or old or {})
        self._world.groups.set_group(key, new)
        if old is None or new is None or old.get("spec") != new.get("spec"):
            self._tell(Change(Kind.POD_GROUPS, {key: None}, {}))

    def _selector_changed(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or selector_of(old) != selector_of(new):
            self._world.touched()

    def _tell(self, change: Change) -> None:
        self._queue.changed(change)


def is_finished(pod: Object) -> bool:
    """Whether the pod has ended and uses nothing any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def scheduling_view(node: Object) -> tuple[object, ...]:
    """The parts of a node that decide who fits: a change elsewhere wakes nobody."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    labels = (node.get("metadata") or {}).get("labels")
    features = status.get("declaredFeatures")
    return (spec.get("taints"), spec.get("unschedulable"), labels, status.get("allocatable"), features)


def _images(node: Object) -> object:
    return (node.get("status") or {}).get("images")


def _nominated(pod: Object | None) -> str:
    return ((pod or {}).get("status") or {}).get("nominatedNodeName") or ""


def _asks_alike(old: Object, new: Object) -> bool:
    return old.get("spec") == new.get("spec") and labels_of(old) == labels_of(new)
