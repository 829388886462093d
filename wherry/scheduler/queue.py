"""Who is scheduled next: by priority, then by age; who failed waits for a reason to try again.

Three places: active (a heap), backing off (failed lately, a timer brings them back), and
unschedulable (nothing that matters has changed since). `activate_all` is called when something did.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from dataclasses import dataclass, field

from wherry.kit.clock import Clock, Timer
from wherry.scheduler.facts import PodFacts

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
FLUSH_AFTER_S = 300.0
"""After so long an unschedulable pod is tried again whatever happened (upstream's five minutes)."""


@dataclass
class _Waiting:
    facts: PodFacts
    order: int
    attempts: int = 0
    failed_at: float = 0.0
    timer: Timer | None = None
    active: bool = field(default=False)


class PodQueue:
    """Pods that wait for a node, by uid."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pods: dict[str, _Waiting] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._order = itertools.count()
        self._available = asyncio.Event()

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
        if waiting is not None and waiting.timer is not None:
            waiting.timer.cancel()

    async def pop(self) -> PodFacts:
        """The next pod to try; it stays known until `remove` and may be returned by `failed`."""
        while True:
            while self._heap:
                _, _, uid = heapq.heappop(self._heap)
                waiting = self._pods.get(uid)
                if waiting is not None and waiting.active:
                    waiting.active = False
                    waiting.attempts += 1
                    return waiting.facts
            self._available.clear()
            await self._available.wait()

    def failed(self, uid: str, *, retry: bool = False) -> None:
        """The try came to nothing: wait for a change, or with `retry` only for the back-off."""
        waiting = self._pods.get(uid)
        if waiting is None or waiting.active:
            return
        waiting.failed_at = self._clock.monotonic()
        self._set_timer(waiting, self._backoff_s(waiting) if retry else FLUSH_AFTER_S)

    def activate_all(self) -> None:
        """Something changed that may let pods fit: try all again, each after its back-off."""
        for waiting in self._pods.values():
            if waiting.active or waiting.timer is None:
                continue
            left_s = waiting.failed_at + self._backoff_s(waiting) - self._clock.monotonic()
            if left_s > 0:
                self._set_timer(waiting, left_s)
            else:
                self._activate(waiting)

    def _backoff_s(self, waiting: _Waiting) -> float:
        delay: float = min(FIRST_BACKOFF_S * 2.0 ** min(waiting.attempts - 1, 20), LONGEST_BACKOFF_S)
        return delay

    def _set_timer(self, waiting: _Waiting, delay_s: float) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
        waiting.timer = self._clock.call_later(delay_s, lambda: self._activate(waiting))

    def _activate(self, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None
        if not waiting.active:
            waiting.active = True
            heapq.heappush(self._heap, (-waiting.facts.priority, waiting.order, waiting.facts.uid))
        self._available.set()
