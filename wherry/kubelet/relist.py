"""Looking at all containers now and then, for what the runtime's events did not say.

Upstream's PLEG (`pkg/kubelet/pleg`), which with events relists every five minutes: an event can be lost, or
come before the runtime shows what it says. It costs two listings; only pods whose containers are not as
they were the last time are looked at.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol

from wherry.kit.clock import Clock
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.runtimes.labels import POD_UID
from wherry.kubelet.runtimes.runtime import Runtime

RELIST_S = 300.0
THRESHOLD_S = 180.0
"""Upstream's `relistThreshold`: a listing owed for longer makes the node not Ready."""

Seen = dict[str, frozenset[tuple[str, str]]]
"""Per pod: its sandboxes and containers by id, and how each of them stands."""


class Looker(Protocol):
    """Who looks at pods (see `workers.pool.PodWorkers`)."""

    def knows(self, pod_uid: str) -> bool: ...

    def poke(self, pod_uid: str) -> None: ...

    async def look_at_all(self) -> None: ...


def diff_pods(before: Seen, now: Seen) -> set[str]:
    """The pods that are not as they were."""
    return {uid for uid in before.keys() | now.keys() if before.get(uid) != now.get(uid)}


class Relist:
    """One node's relisting."""

    def __init__(
        self, runtime: Runtime, workers: Looker, clock: Clock, metrics: KubeletMetrics | None = None
    ) -> None:
        self._runtime = runtime
        self._workers = workers
        self._clock = clock
        self._metrics = metrics or KubeletMetrics()
        self._last_s: float | None = None
        self._seen: Seen = {}
        self._is_everything = True
        self._owed_since: float | None = None

    def everything(self) -> None:
        """Look at every pod the next time: events may have been missed."""
        self._is_everything = True

    def error(self) -> str:
        """What upstream says of a PLEG that is not healthy, "" of one that is."""
        if self._owed_since is None:
            return ""
        for_s = self._clock.monotonic() - self._owed_since
        if for_s <= THRESHOLD_S:
            return ""
        ago = format_duration(for_s)
        return f"PLEG is not healthy: pleg was last seen active {ago} ago; threshold is 3m0s"

    async def look(self) -> float:
        """Relist once; when to do it again, in seconds. Raises RuntimeFailure, OSError."""
        if self._owed_since is None:
            self._owed_since = self._clock.monotonic()
        seen = await self._measured()
        everything, self._is_everything = self._is_everything, False
        try:
            if everything or not all(self._workers.knows(uid) for uid in seen):
                await self._workers.look_at_all()
            else:
                for uid in diff_pods(self._seen, seen):
                    self._workers.poke(uid)
        except BaseException:
            self._is_everything = self._is_everything or everything
            raise
        self._seen = seen
        self._owed_since = None
        return RELIST_S

    async def _measured(self) -> Seen:
        """List, and count how long it took."""
        metrics, began = self._metrics, self._clock.monotonic()
        if self._last_s is not None:
            metrics.relist_interval.observe(began - self._last_s)
        self._last_s = began
        metrics.relist_last_seen.set(self._clock.now().timestamp())
        try:
            return await self._list()
        finally:
            metrics.relist_duration.observe(self._clock.monotonic() - began)

    async def _list(self) -> Seen:
        sandboxes, containers = await asyncio.gather(self._runtime.sandboxes(), self._runtime.containers())
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        pods = {sandbox.id: sandbox.uid for sandbox in sandboxes}
        for sandbox in sandboxes:
            found[sandbox.uid].add((sandbox.id, "ready" if sandbox.ready else "ended"))
        for container in containers:
            uid = pods.get(container.sandbox_id) or container.labels.get(POD_UID, "")
            if uid:
                found[uid].add((container.id, container.phase.value))
        return {uid: frozenset(parts) for uid, parts in found.items()}


def format_duration(seconds: float) -> str:
    """A duration as Go writes one, to the second: 45s, 3m5s, 1h0m0s."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
