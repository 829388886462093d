"""All nodes of one DaemonSet, judged: only those an event or the time has touched are judged again.

Sums are kept along, so that a sync costs what has changed since the last one and not what there is.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from wherry.controllers.daemonset.judgement import NOTHING, Judge, Judgement, Stage
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object

SPARE_DUES = 100


class Fleet:
    """What is known of the nodes of the DaemonSet with that uid."""

    def __init__(self, uid: str, nodes: Iterable[str], pods: Iterable[str]) -> None:
        self.uid = uid
        self.judge: Judge | None = None
        self.counts: Counter[str] = Counter()
        self.revisions: Counter[str] = Counter()
        self.stages: dict[Stage, dict[str, None]] = {stage: {} for stage in Stage}
        self.work: dict[str, None] = {}
        self.pods = set(pods)
        """Keys of pods that are to be claimed or released, perhaps."""
        self._touched = dict.fromkeys(nodes)
        self._judged: dict[str, Judgement] = {}
        self._dues: list[tuple[datetime, str]] = []
        self._due_of: dict[str, datetime] = {}
        self._basis: object = None
        self._refusals: dict[str, int] = {}

    def __getitem__(self, node: str) -> Judgement:
        return self._judged.get(node, NOTHING)

    def touch(self, node: str) -> None:
        """Judge the node again."""
        self._touched[node] = None

    def touch_pod(self, key: str, *nodes: str) -> None:
        """A pod is another than it was, and so are the nodes it is or was for."""
        self.pods.add(key)
        self._touched.update(dict.fromkeys(node for node in nodes if node))

    def judge_by(self, basis: object, judge: Callable[[], Judge], nodes: Callable[[], Iterable[str]]) -> bool:
        """Judge by `basis` from now on; whether it is another: then all `nodes` are judged anew."""
        if self.judge is not None and basis == self._basis:
            return False
        self.judge, self._basis = judge(), basis
        self._refusals.clear()
        self._touched.update(dict.fromkeys(nodes()))
        self._touched.update(dict.fromkeys(self._judged))
        return True

    def note_refusal(self, node: str) -> None:
        """A pod for the node was refused: others are tried before it from now on."""
        self._refusals[node] = self._refusals.get(node, 0) + 1

    def least_refused(self, nodes: Sequence[str], most: int) -> list[str]:
        """At most so many of these nodes, those whose pods were refused less often first."""
        if not self._refusals:
            return [*nodes[:most]]
        return sorted(nodes, key=lambda node: self._refusals.get(node, 0))[:most]

    async def catch_up(
        self, find: Callable[[str], tuple[Object | None, list[Object]]], now: datetime
    ) -> None:
        """Judge what was touched. `find` gives a node (None when there is none) and the set's pods for it."""
        while self._dues and self._dues[0][0] <= now:
            due, node = heapq.heappop(self._dues)
            if self._due_of.get(node) == due:
                del self._due_of[node]
                self.touch(node)
        judge = self.judge
        if judge is None:
            return
        portions = Portions(Work.CONTROLLING)
        for node in list(self._touched):
            await portions.next()
            self._touched.pop(node, None)
            try:
                self._keep(node, judge.look(*find(node), now))
            except BaseException:
                self.touch(node)
                raise

    def due_in_s(self, now: datetime) -> float | None:
        """Seconds until time changes something; None when it does not."""
        return max((self._dues[0][0] - now).total_seconds(), 0.0) if self._dues else None

    def _keep(self, node: str, found: Judgement) -> None:
        self._forget(node)
        if not found.needs_pod:
            self._refusals.pop(node, None)
        if found == NOTHING:
            return
        self._judged[node] = found
        self.counts.update(found.counts)
        self.revisions.update(found.revisions)
        self.stages[found.stage][node] = None
        if found.has_work:
            self.work[node] = None
        self._wait_until(node, found.changes_at)

    def _wait_until(self, node: str, due: datetime | None) -> None:
        if due is None:
            self._due_of.pop(node, None)
        elif self._due_of.get(node) != due:
            self._due_of[node] = due
            heapq.heappush(self._dues, (due, node))
            if len(self._dues) > 2 * len(self._due_of) + SPARE_DUES:  # mostly of the past
                self._dues = [(due, node) for node, due in self._due_of.items()]
                heapq.heapify(self._dues)

    def _forget(self, node: str) -> None:
        """Take the node out of all sums."""
        before = self._judged.pop(node, None)
        if before is None:
            return
        self.counts.subtract(before.counts)
        self.revisions.subtract(before.revisions)
        del self.stages[before.stage][node]
        self.work.pop(node, None)
