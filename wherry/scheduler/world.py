"""Everything a decision is made from: nodes, placed pods, claims (`World`).

The scheduler tells it what changed; plugins read it. Placed are pods with a node, pods whose binding is
under way (assumed, upstream's cache), and pods nominated to a node that is being emptied for them. What
happens to placed pods is written into a journal, so that an answer worked out before can be brought up to
date in a few steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Protocol

from wherry.kit.clock import Clock, SystemClock
from wherry.objects.meta import Object, name_of
from wherry.scheduler.devices.inventory import Inventory
from wherry.scheduler.devices.places import Places
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.groups import PodGroups
from wherry.scheduler.nodes import NodeTable
from wherry.scheduler.pods import PodTable

JOURNAL = 256
"""Whoever is further behind begins anew."""


class Storage(Protocol):
    """What is known of claims and classes."""

    def claim(self, key: str) -> Object | None:
        """The PersistentVolumeClaim `namespace/name`."""
        ...

    def storage_class(self, name: str) -> Object | None:
        """The StorageClass `name`."""
        ...


class Selecting(Protocol):
    """What is known of those that select pods, for constraints that name no selector."""

    def selecting(self, pod: PodFacts) -> Iterable[Mapping[str, object]]:
        """The label selectors (as metav1.LabelSelector) of the services and the controller of a pod."""
        ...


class NoStorage:
    """A cluster without claims."""

    def claim(self, key: str) -> Object | None:
        """See `Storage`."""
        return None

    def storage_class(self, name: str) -> Object | None:
        """See `Storage`."""
        return None


class NoSelectors:
    """A cluster without services and controllers."""

    def selecting(self, pod: PodFacts) -> Iterable[Mapping[str, object]]:
        """See `Selecting`."""
        return ()


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod on a node; `is_assumed` until the API server says so, `is_nominated` while it waits for room
    there.
    """

    node: str
    pod: PodFacts
    is_assumed: bool = False
    is_nominated: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A pod came to (`sign` 1) or left (-1) a row."""

    pod: PodFacts
    row: int
    sign: int


class World:
    """Nodes, pods and claims as the scheduler knows them."""

    def __init__(
        self,
        claims: Storage | None = None,
        selectors: Selecting | None = None,
        devices: Inventory | None = None,
        random: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        random = random or Random(0)  # noqa: S311 - makes numbers that differ
        self.clock: Clock = clock or SystemClock()
        """What drivers of devices are waited for by."""
        self.nodes = NodeTable()
        self.places = Places(self.nodes, random)
        self.pods = PodTable(self.nodes.capacity)
        self.claims: Storage = claims or NoStorage()
        self.devices = devices or Inventory(random)
        self.groups = PodGroups()
        self.selectors: Selecting = selectors or NoSelectors()
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """The labels of each namespace."""
        self.placed: dict[str, Placement] = {}
        """By uid."""
        self._homeless: dict[str, dict[str, None]] = {}
        """Placed pods whose node is not known (yet): uids by its name."""
        self._nominated: dict[str, int] = {}
        """The priority of each nominated pod that takes room just now, by uid."""
        self._aside: dict[str, Placement] = {}
        """Nominated pods whose priority is too low to take room (`reserve_from`), by uid."""
        self._reserved_from: int | None = None
        """The priority that was named last, None if it does not hold for those nominated since."""
        self._journal: deque[Step] = deque(maxlen=JOURNAL)
        self._stamps: dict[int, int] = {}
        """When something happened last on each row."""
        self.moment = 0
        """How many steps there were."""
        self.era = 0
        """How often something changed that no step tells."""

    def set_node(self, node: Object) -> None:
        """Add a node, or take over what changed about it."""
        self.nodes.set_node(node)
        self.pods.resize(self.nodes.capacity)
        self.era += 1
        row = self.nodes.row_of[name_of(node)]
        for uid in self._homeless.pop(name_of(node), ()):  # pods may be seen before their node
            self._stand(self.placed[uid].pod, row, 1)

    def remove_node(self, name: str) -> None:
        """Forget a node; its pods wait for it to come again."""
        row = self.nodes.row_of.get(name)
        if row is None:
            return
        last = len(self.nodes) - 1
        own = list(self.nodes.pods[row].values())
        moving = [] if row == last else list(self.nodes.pods[last].values())
        for pod in own:
            self._stand(pod, row, -1)
        for pod in moving:
            self._stand(pod, last, -1)
        self.nodes.remove_node(name)
        for pod in moving:
            self._stand(pod, row, 1)
        if own:
            self._homeless[name] = {pod.uid: None for pod in own}
        self.era += 1

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> bool:
        """Take over a namespace's labels (None: it is gone); whether they changed."""
        if self.namespaces.get(name) == labels:
            return False
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        self.era += 1
        return True

    def place(
        self, pod: PodFacts, node: str, *, is_assumed: bool = False, is_nominated: bool = False
    ) -> None:
        """Count a pod to a node, wherever it was counted before."""
        before = self.placed.get(pod.uid)
        self._aside.pop(pod.uid, None)
        self.placed[pod.uid] = Placement(node, pod, is_assumed, is_nominated)
        if is_nominated:
            self._nominated[pod.uid] = pod.priority
            self._reserved_from = None
        else:
            self._nominated.pop(pod.uid, None)
        if before is not None:
            if before.node == node and _count_alike(before.pod, pod):
                self._exchange(before.pod, pod, node)
                return
            self._leave(before)
        row = self.nodes.row_of.get(node)
        if row is None:
            self._homeless.setdefault(node, {})[pod.uid] = None
        else:
            self._step(pod, row, 1)

    def displace(self, uid: str) -> Placement | None:
        """Count a pod no more; where it was."""
        placement = self.placed.pop(uid, None)
        if placement is None:
            return self._aside.pop(uid, None)
        self._nominated.pop(uid, None)
        self._leave(placement)
        return placement

    def reserve_from(self, priority: int) -> None:
        """Have the nominated pods of at least this priority take room, and no others: against more important
        pods they have none. That stays so until another priority is named, which mostly is the same.
        """
        if self._reserved_from == priority:
            return
        for placement in [one for one in self._aside.values() if one.pod.priority >= priority]:
            self.place(placement.pod, placement.node, is_nominated=True)
        for uid in [uid for uid, own in self._nominated.items() if own < priority]:
            placement = self.placed[uid]
            self.displace(uid)
            self._aside[uid] = placement
        self._reserved_from = priority

    def nomination(self, uid: str) -> Placement | None:
        """Where a pod is nominated to, whether it takes room just now or not."""
        return self.placed[uid] if uid in self._nominated else self._aside.get(uid)

    def nominated_below(self, priority: int) -> list[Placement]:
        """The nominated pods of lower priority that take room: they have none against a pod of this one."""
        if not self._nominated:
            return []
        return [self.placed[uid] for uid, own in self._nominated.items() if own < priority]

    def nominated_on(self, node: str) -> list[PodFacts]:
        """The pods nominated to a node."""
        found = chain((self.placed[uid] for uid in self._nominated), self._aside.values())
        return [placement.pod for placement in found if placement.node == node]

    def is_nominated(self, uid: str) -> bool:
        """Whether a pod is nominated."""
        return uid in self._nominated or uid in self._aside

    def touched(self) -> None:
        """Something changed that plugins read elsewhere (claims, services): no answer of before counts any
        more.
        """
        self.era += 1

    def stamp(self, row: int) -> tuple[int, int]:
        """Tells whether anything happened on a row: equal as long as nothing did."""
        return self.era, self._stamps.get(row, 0)

    def steps_since(self, moment: int) -> Iterator[Step] | None:
        """The steps since then, oldest first; None if they are not known any more."""
        behind = self.moment - moment
        if behind > len(self._journal):
            return None
        first = len(self._journal) - behind
        return (self._journal[index] for index in range(first, len(self._journal)))

    @contextmanager
    def without(self, uids: Iterable[str]) -> Iterator[None]:
        """The world without some placed pods, for the time of the block and untold to anybody."""
        gone = [self.placed[uid] for uid in uids if uid in self.placed]
        for placement in gone:
            self.try_out(placement.pod, self.nodes.row_of.get(placement.node), -1)
        try:
            yield
        finally:
            for placement in gone:
                self.try_out(placement.pod, self.nodes.row_of.get(placement.node), 1)

    @contextmanager
    def what_if(self, uids: Iterable[str]) -> Iterator[None]:
        """The same, for the question where a pod would go: what is worked out for it takes nobody's place."""
        self.pods.is_trying = True
        try:
            with self.without(uids):
                yield
        finally:
            self.pods.is_trying = False

    def try_out(self, pod: PodFacts, row: int | None, sign: int) -> None:
        """Count a pod to a row (or not) without a step; whoever does so undoes it before anybody else
        looks.
        """
        if row is not None:
            self._stand(pod, row, sign)

    def _leave(self, placement: Placement) -> None:
        homeless = self._homeless.get(placement.node)
        if homeless is not None and placement.pod.uid in homeless:
            del homeless[placement.pod.uid]
            if not homeless:
                del self._homeless[placement.node]
            return
        row = self.nodes.row_of.get(placement.node)
        if row is not None:
            self._step(placement.pod, row, -1)

    def _exchange(self, before: PodFacts, pod: PodFacts, node: str) -> None:
        """Have the newer state of a pod in the place of the older, which counts the same."""
        row = self.nodes.row_of.get(node)
        if row is not None and before.uid in self.nodes.pods[row]:
            self.nodes.pods[row][pod.uid] = pod

    def _step(self, pod: PodFacts, row: int, sign: int) -> None:
        self._stand(pod, row, sign)
        self._journal.append(Step(pod, row, sign))
        self.moment += 1
        self._stamps[row] = self.moment

    def _stand(self, pod: PodFacts, row: int, sign: int) -> None:
        if sign > 0:
            self.nodes.add_pod(row, pod)
            self.pods.add(pod, row)
        else:
            self.nodes.remove_pod(row, pod)
            self.pods.remove(pod, row)


def _count_alike(one: PodFacts, other: PodFacts) -> bool:
    return one.template is other.template and one.is_deleting == other.is_deleting
