"""The scheduler's loop: watch pods and nodes, decide one pod at a time, bind in the background.

A decided pod is accounted to its node at once ("assumed"), so the next decision sees it; the watch
confirms it, a failed binding takes it back. Nothing is polled: the queue sleeps until a pod comes or
something changes that could make a waiting one fit.
"""

from __future__ import annotations

import asyncio
import logging
from random import Random

from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.pods import PODS
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.events import EventRecorder
from wherry.client.transport import STRATEGIC_PATCH
from wherry.kit.clock import Clock
from wherry.kit.tasks import Tasks
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, format_time, is_deleting, name_of, namespace_of, uid_of
from wherry.scheduler.catalog import FILTERS, PRE_FILTERS, SCORES
from wherry.scheduler.cycle import Decision, decide, refused
from wherry.scheduler.facts import PodFacts, read_pod
from wherry.scheduler.framework import Refusal
from wherry.scheduler.queue import PodQueue
from wherry.scheduler.table import NodeTable

log = logging.getLogger(__name__)

DEFAULT_NAME = "default-scheduler"


class Scheduler:
    """Schedules the pods whose `spec.schedulerName` is `name`."""

    def __init__(self, client: Client, clock: Clock, random: Random, name: str = DEFAULT_NAME) -> None:
        self.name = name
        self._client = client
        self._clock = clock
        self._random = random
        self._cache = Cache(client, clock, random=Random(random.getrandbits(64)))  # noqa: S311 - as above
        self._events = EventRecorder(client, clock, name)
        self._queue = PodQueue(clock)
        self._nodes = NodeTable()
        self._placed: dict[str, tuple[str, PodFacts]] = {}
        """Pods with a node, assumed or confirmed, by uid."""
        self._homeless: dict[str, set[str]] = {}
        """Placed pods whose node is not known (yet): uids by its name."""
        self._storage = KnownStorage(self._cache)
        self._tasks = Tasks(name)

    async def start(self) -> None:
        """Begin; returns when pods and nodes are known."""
        self._cache.on(NODES, self._node_changed)
        self._cache.on(PODS, self._pod_changed)
        for resource in (PERSISTENT_VOLUME_CLAIMS, STORAGE_CLASSES):
            self._cache.on(resource, self._storage_changed)
        await self._cache.start()
        self._tasks.essential(self._run(), "loop")

    async def close(self) -> None:
        """End; bindings under way are cut off (and decided again by whoever comes next)."""
        await self._tasks.close()
        await self._cache.close()
        await self._events.close()

    async def _run(self) -> None:
        while True:
            facts = await self._queue.pop()
            try:
                self._schedule(facts)
            except Exception:  # a fault about one pod must not keep the others waiting
                log.exception("deciding on %s failed", facts.key)
                self._queue.retry(facts.uid)
            await asyncio.sleep(0)  # let bindings and watches in between two decisions

    def _schedule(self, facts: PodFacts) -> None:
        refusal = self._refusal(facts)
        if refusal is not None:
            decision = refused(refusal, len(self._nodes))
        else:
            decision = decide(facts, self._nodes, FILTERS, SCORES, self._random)
        if decision.node:
            self._place(decision.node, facts)
            self._tasks.spawn(self._bind(facts, decision.node), f"bind {facts.key}")
        else:
            self._queue.failed(
                facts.uid, wants_room=decision.resolvable > 0, wants_claims=refusal is not None
            )
            self._tasks.spawn(self._report(facts, decision), f"report {facts.key}")

    def _refusal(self, facts: PodFacts) -> Refusal | None:
        """Why no node can take the pod, whatever it is."""
        found = (plugin.refuse(facts, self._storage) for plugin in PRE_FILTERS)
        return next((refusal for refusal in found if refusal is not None), None)

    async def _bind(self, facts: PodFacts, node: str) -> None:
        namespace, name = namespace_of(facts.pod), name_of(facts.pod)
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace, "uid": facts.uid},
            "target": {"kind": "Node", "name": node},
        }
        try:
            await self._client.create_subresource(PODS, name, namespace, "binding", binding)
        except ApiError as error:
            log.info("binding %s failed: %s", facts.key, error)
            self._take_back(facts, str(error))
            return
        except Exception as error:  # the pod would stay assumed, and wait for ever
            log.exception("binding %s failed", facts.key)
            self._take_back(facts, repr(error))
            return
        self._queue.remove(facts.uid)
        self._events.event(facts.pod, "Normal", "Scheduled", f"Successfully assigned {facts.key} to {node}")

    def _take_back(self, facts: PodFacts, why: str) -> None:
        """Undo an assumed placement and try again later, unless the pod is gone or placed by another.

        What the watch has confirmed meanwhile (this binding, or another's) is no assumption any more.
        """
        placed = self._placed.get(facts.uid)
        if placed is not None and placed[1] is facts:
            self._displace(facts.uid)
        current = self._cache.get(PODS, facts.key)
        if current is not None and uid_of(current) == facts.uid and self._is_ours(current):
            self._events.event(facts.pod, "Warning", "FailedScheduling", f"binding rejected: {why}")
            self._queue.retry(facts.uid, read_pod(current))
        else:
            self._queue.remove(facts.uid)

    async def _report(self, facts: PodFacts, decision: Decision) -> None:
        message = decision.message()
        self._events.event(facts.pod, "Warning", "FailedScheduling", message)
        current = self._cache.get(PODS, facts.key)
        found = ((current or {}).get("status") or {}).get("conditions") or ()
        if any(c["type"] == "PodScheduled" and c.get("message") == message for c in found):
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": format_time(self._clock.now()),
        }
        try:
            await self._client.patch(
                PODS,
                name_of(facts.pod),
                namespace_of(facts.pod),
                {"status": {"conditions": [condition]}},
                content_type=STRATEGIC_PATCH,
                subresource="status",
            )
        except ApiError as error:
            if error.code != 404:
                log.warning("status of %s not written: %s", facts.key, error)

    def _is_ours(self, pod: Object) -> bool:
        spec = pod.get("spec") or {}
        return (
            not spec.get("nodeName")
            and spec.get("schedulerName", DEFAULT_NAME) == self.name
            and not spec.get("schedulingGates")
            and not is_deleting(pod)
            and not is_finished(pod)
        )

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        pod = new if new is not None else old
        if pod is None:
            return
        uid = uid_of(pod)
        node = (pod.get("spec") or {}).get("nodeName")
        if new is None or is_finished(new):
            self._queue.remove(uid)
            if self._displace(uid):
                self._queue.room_made()
        elif node:
            self._queue.remove(uid)
            if old is None or uid not in self._placed or old.get("spec") != new.get("spec"):
                self._place(node, read_pod(new))
        elif not self._is_ours(new):
            self._queue.remove(uid)
        elif uid not in self._placed and (uid not in self._queue or _spec_of(old) != _spec_of(new)):
            self._queue.put(read_pod(new))

    def _storage_changed(self, _old: Object | None, _new: Object | None) -> None:
        self._queue.claims_changed()

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            if old is not None:
                name = name_of(old)
                self._homeless.setdefault(name, set()).update(p.uid for p in self._nodes.remove_node(name))
            return
        if old is not None and scheduling_view(old) == scheduling_view(new):
            return  # a heartbeat
        self._nodes.set_node(new)
        for uid in self._homeless.pop(name_of(new), ()):  # pods may be seen before their node
            node, facts = self._placed[uid]
            self._nodes.add_pod(node, facts)
        self._queue.nodes_changed()

    def _place(self, node: str, facts: PodFacts) -> None:
        self._displace(facts.uid)
        self._placed[facts.uid] = (node, facts)
        if not self._nodes.add_pod(node, facts):
            self._homeless.setdefault(node, set()).add(facts.uid)

    def _displace(self, uid: str) -> bool:
        placed = self._placed.pop(uid, None)
        if placed is None:
            return False
        self._nodes.remove_pod(placed[0], uid)
        homeless = self._homeless.get(placed[0])
        if homeless is not None:
            homeless.discard(uid)
            if not homeless:
                del self._homeless[placed[0]]
        return True


class KnownStorage:
    """Claims and classes as the cache has them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def claim(self, key: str) -> Object | None:
        """See `framework.Storage`."""
        return self._cache.get(PERSISTENT_VOLUME_CLAIMS, key)

    def storage_class(self, name: str) -> Object | None:
        """See `framework.Storage`."""
        return self._cache.get(STORAGE_CLASSES, name)


def is_finished(pod: Object) -> bool:
    """Whether the pod has ended and uses nothing any more."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def scheduling_view(node: Object) -> tuple[object, ...]:
    """The parts of a node that decide who fits: a change elsewhere wakes nobody."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    labels = (node.get("metadata") or {}).get("labels")
    return (spec.get("taints"), spec.get("unschedulable"), labels, status.get("allocatable"))


def _spec_of(pod: Object | None) -> object:
    return None if pod is None else pod.get("spec")
