"""Who is scheduled next: by priority, then by age; who failed waits for a reason to try again.

upstream's scheduling queue (pkg/scheduler/backend/queue): active (a heap), backing off (failed lately, a
timer brings them back), unschedulable (nothing that matters has changed since), and under way (a binding
was sent and has not been answered). An event moves whole groups of unschedulable pods in one step, however
many they are; they are looked through in portions by whoever asks for the next pod.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from wherry.kit.clock import Clock, Timer
from wherry.scheduler.facts import PodFacts

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
FLUSH_AFTER_S = 300.0
"""After so long an unschedulable pod is tried again whatever happened (upstream's five minutes)."""
PORTION = 500
"""How many moved pods are looked at before others get their turn."""


@dataclass(eq=False)
class _Waiting:
    facts: PodFacts
    order: int
    attempts: int = 0
    failed_at: float = 0.0
    timer: Timer | None = None
    active: bool = field(default=False)
    group: dict[str, _Waiting] | None = None
    """The unschedulable pods it is one of, if it is."""


class PodQueue:
    """Pods that wait for a node, by uid."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pods: dict[str, _Waiting] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._order = itertools.count()
        self._available = asyncio.Event()
        self._want_room: dict[str, _Waiting] = {}
        """Unschedulable pods that any node with more room could take."""
        self._want_nodes: dict[str, _Waiting] = {}
        """Unschedulable pods that only other nodes could take."""
        self._want_claims: dict[str, _Waiting] = {}
        """Unschedulable pods that no node could take before their claims are bound."""
        self._moved: deque[dict[str, _Waiting]] = deque()
        """Groups of which each pod is to be tried again after its back-off."""

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def put(self, facts: PodFacts) -> None:
        """Add a pod, or take over its new spec and try it at once."""
        waiting = self._pods.get(facts.uid)
        if waiting is None:
            waiting = self._pods[facts.uid] = _Waiting(facts, next(self._order))
        waiting.facts = facts
        self._activate(waiting)

    def remove(self, uid: str) -> None:
        """Forget a pod: it has a node, or is gone."""
        waiting = self._pods.pop(uid, None)
        if waiting is not None:
            _leave(waiting)

    async def pop(self) -> PodFacts:
        """The next pod to try; it stays known until `remove`, and rests from `failed` or `retry` on."""
        while True:
            while self._moved:
                self._move_portion()
                await asyncio.sleep(0)
            while self._heap:
                _, _, uid = heapq.heappop(self._heap)
                waiting = self._pods.get(uid)
                if waiting is not None and waiting.active:
                    waiting.active = False
                    waiting.attempts += 1
                    return waiting.facts
            self._available.clear()
            await self._available.wait()

    def failed(self, uid: str, *, wants_room: bool = True, wants_claims: bool = False) -> None:
        """No node fits: wait for a change; with `wants_room` the end of some pod is one.

        With `wants_claims` only a change of claims is.
        """
        waiting = self._resting(uid)
        if waiting is None:
            return
        group = self._want_claims if wants_claims else self._want_room if wants_room else self._want_nodes
        group[uid] = waiting
        waiting.group = group
        waiting.timer = self._clock.call_later(FLUSH_AFTER_S, partial(self._activate, waiting))

    def retry(self, uid: str, facts: PodFacts | None = None) -> None:
        """The try came to nothing for another reason: again after the back-off, with `facts` if given."""
        waiting = self._resting(uid)
        if waiting is None:
            return
        waiting.facts = facts or waiting.facts
        waiting.timer = self._clock.call_later(self._backoff_s(waiting), partial(self._activate, waiting))

    def nodes_changed(self) -> None:
        """A node came or became another: try all again, each after its back-off."""
        self._want_nodes = self._move(self._want_nodes)
        self.room_made()

    def claims_changed(self) -> None:
        """A claim (or a class of storage) came or became another: try those again that wait for one."""
        self._want_claims = self._move(self._want_claims)

    def room_made(self) -> None:
        """A pod has gone from a node: try those again that could fit there, each after its back-off."""
        self._want_room = self._move(self._want_room)

    def _resting(self, uid: str) -> _Waiting | None:
        """The pod, if it is under way and nothing has activated it meanwhile."""
        waiting = self._pods.get(uid)
        if waiting is None or waiting.active:
            return None
        _leave(waiting)
        waiting.failed_at = self._clock.monotonic()
        return waiting

    def _move(self, group: dict[str, _Waiting]) -> dict[str, _Waiting]:
        """Have `group` tried again; the empty one in its place."""
        if not group:
            return group
        self._moved.append(group)
        self._available.set()
        return {}

    def _move_portion(self) -> None:
        """Give the next pods of the oldest moved group their back-off."""
        group = self._moved[0]
        for _ in range(min(PORTION, len(group))):
            _, waiting = group.popitem()
            _leave(waiting)
            left_s = waiting.failed_at + self._backoff_s(waiting) - self._clock.monotonic()
            if left_s > 0:
                waiting.timer = self._clock.call_later(left_s, partial(self._activate, waiting))
            else:
                self._activate(waiting)
        if not group:
            self._moved.popleft()

    def _backoff_s(self, waiting: _Waiting) -> float:
        delay: float = min(FIRST_BACKOFF_S * 2.0 ** min(waiting.attempts - 1, 20), LONGEST_BACKOFF_S)
        return delay

    def _activate(self, waiting: _Waiting) -> None:
        _leave(waiting)
        if not waiting.active:
            waiting.active = True
            heapq.heappush(self._heap, (-waiting.facts.priority, waiting.order, waiting.facts.uid))
        self._available.set()


def _leave(waiting: _Waiting) -> None:
    """Take a pod from where it waits."""
    if waiting.timer is not None:
        waiting.timer.cancel()
        waiting.timer = None
    if waiting.group is not None:
        waiting.group.pop(waiting.facts.uid, None)
        waiting.group = None
