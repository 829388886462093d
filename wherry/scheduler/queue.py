"""Who is scheduled next, and when those are tried again that fit nowhere (pkg/scheduler/backend/queue).

A pod is active (in the heap: by priority, then by how long it waits), under way (handed out, and not
answered yet), backing off (a timer brings it back), or it rests because it fits nowhere. Resting pods that
ask for the same are one group: a change is held against the group, and if it may help, one pod of it is
tried; each that finds a place brings two more. So ten thousand pods that wait for the same cost what one
does.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from wherry.kit.clock import Clock, Timer
from wherry.kit.portions import Portions
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
FLUSH_AFTER_S = 300.0
"""After so long a resting pod is tried again whatever happened (upstream's five minutes)."""
LONGEST_BATCH = 128
MOST_RECENT = 64
"""So many changes are remembered for pods that are under way meanwhile."""
PORTION = 20
"""How many groups a change is held against before others get their turn."""
PORTION_S = 0.005
"""How long that may take: where devices are searched for, one group alone takes some milliseconds."""

Concern = Callable[[PodFacts, Iterable[str], Change], bool]
"""Whether a change may help a pod that the plugins of these names rejected."""


@dataclass(eq=False, slots=True)
class _Waiting:
    facts: PodFacts
    order: int
    attempts: int = 0
    timer: Timer | None = None
    is_active: bool = False
    is_out: bool = False
    """Handed out, and not answered yet."""
    group: _Group | None = None
    """The resting pods it is one of, if it rests."""


@dataclass(eq=False, slots=True)
class _Group:
    """Resting pods that ask for the same; the first is tried next."""

    key: Hashable
    kinds: frozenset[Kind] = frozenset()
    rejected_by: tuple[str, ...] = ()
    pods: dict[str, _Waiting] = field(default_factory=dict)
    attempts: int = 0
    failed_at: float = 0.0
    timer: Timer | None = None
    """Brings the first pod back: after the back-off if something changed, at the latest with the flush."""
    is_awake: bool = False


class PodQueue:
    """Pods that wait for a node, by uid. `concern` tells whom a change may help."""

    def __init__(
        self,
        clock: Clock,
        concern: Concern,
        *,
        first_backoff_s: float = FIRST_BACKOFF_S,
        longest_backoff_s: float = LONGEST_BACKOFF_S,
    ) -> None:
        self._clock = clock
        self._concern = concern
        self._first_backoff_s = first_backoff_s
        self._longest_backoff_s = longest_backoff_s
        self._pods: dict[str, _Waiting] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._order = itertools.count()
        self._available = asyncio.Event()
        self._groups: dict[Hashable, _Group] = {}
        self._by_kind: dict[Kind, dict[Hashable, _Group]] = {kind: {} for kind in Kind}
        self._news: dict[Kind, Change] = {}
        """Changes that no group was held against."""
        self._looking: Iterator[None] | None = None
        self.changes = 0
        """How many changes there were; whoever is under way remembers the number."""
        self._recent: deque[tuple[int, Change]] = deque(maxlen=MOST_RECENT)
        """The latest of them, for pods that are under way."""

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def is_under_way(self, uid: str) -> bool:
        """Whether a pod was handed out, and neither left nor asks for something else since."""
        waiting = self._pods.get(uid)
        return waiting is not None and waiting.is_out

    @property
    def active(self) -> int:
        """How many are to be tried now."""
        return len(self._heap)

    def put(self, facts: PodFacts) -> None:
        """Add a pod, or take over its new spec and try it at once."""
        waiting = self._pods.get(facts.uid)
        if waiting is None:
            waiting = self._pods[facts.uid] = _Waiting(facts, next(self._order))
        waiting.facts = facts
        self._activate(waiting)

    def renew(self, facts: PodFacts) -> None:
        """Take over the newer state of a pod that asks for the same."""
        waiting = self._pods.get(facts.uid)
        if waiting is not None:
            waiting.facts = facts

    def remove(self, uid: str) -> None:
        """Forget a pod: it has a node, or is gone."""
        waiting = self._pods.pop(uid, None)
        if waiting is not None:
            self._leave(waiting)

    async def pop(self) -> list[PodFacts]:
        """The next pods to try, all of one template; they stay known until `remove`."""
        while True:
            if self._look():
                await asyncio.sleep(0)
            batch = self._take()
            if batch:
                return batch
            if self._looking is None and not self._news:
                self._available.clear()
                await self._available.wait()

    def _take(self) -> list[PodFacts]:
        batch: list[PodFacts] = []
        while self._heap and len(batch) < LONGEST_BATCH:
            waiting = self._pods.get(self._heap[0][2])
            if waiting is not None and waiting.is_active:
                if batch and waiting.facts.template is not batch[0].template:
                    break
                waiting.is_active, waiting.is_out = False, True
                waiting.attempts += 1
                batch.append(waiting.facts)
            heapq.heappop(self._heap)
        return batch

    def placed(self, uid: str) -> None:
        """A pod that was tried has found a place: others of its group may."""
        waiting = self._pods.get(uid)
        group = waiting.group if waiting is not None else None
        if waiting is None or group is None:
            return
        group.attempts = 0
        self._drop(group, waiting)
        self._try_some(group, 2)

    def failed(
        self,
        uid: str,
        key: Hashable,
        rejected_by: Iterable[str],
        kinds: frozenset[Kind],
        since: int | None = None,
        *,
        is_gated: bool = False,
    ) -> None:
        """A pod fits nowhere: it rests until a change of one of the `kinds` may help, with those of equal
        `key`.

        `since` is the number of changes when that was decided, if others may have come meanwhile. One that
        `is_gated` was not tried at all, and has no back-off.
        """
        waiting = self._pods.get(uid)
        if waiting is None or waiting.is_active:
            return
        waiting.attempts -= is_gated
        group = self._groups.get(key)
        was_tried = group is None or waiting.group is group or not group.pods
        group = self._rest(waiting, key)
        self._was_rejected(group, rejected_by, kinds, since, was_tried=was_tried, is_gated=is_gated)

    def failed_together(
        self,
        uids: Iterable[str],
        key: Hashable,
        rejected_by: Iterable[str],
        kinds: frozenset[Kind],
        since: int,
        *,
        is_gated: bool = False,
    ) -> None:
        """As `failed`, of pods that were tried together: whenever one is tried again, all are."""
        found = [waiting for uid in uids if (waiting := self._pods.get(uid)) is not None]
        groups = [self._rest(waiting, key) for waiting in found if not waiting.is_active]
        if groups:
            self._was_rejected(groups[0], rejected_by, kinds, since, was_tried=True, is_gated=is_gated)

    def take(self, uids: Iterable[str]) -> list[PodFacts]:
        """Hand out these pods, too, as far as they wait; the most important first, then who waits longest."""
        found = [waiting for uid in uids if (waiting := self._pods.get(uid)) is not None]
        for waiting in found:
            if waiting.timer is not None:
                waiting.timer.cancel()
                waiting.timer = None
            if not waiting.is_out:
                waiting.attempts += 1
            waiting.is_active, waiting.is_out = False, True
        found.sort(key=lambda waiting: (-waiting.facts.priority, waiting.order))
        return [waiting.facts for waiting in found]

    def _rest(self, waiting: _Waiting, key: Hashable) -> _Group:
        """Have a pod wait as the last of those of this key."""
        waiting.is_out = waiting.is_active = False
        if waiting.group is not None and waiting.group.key != key:
            self._drop(waiting.group, waiting)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(key)
        group.pods.pop(waiting.facts.uid, None)
        group.pods[waiting.facts.uid] = waiting
        waiting.group = group
        return group

    def _was_rejected(
        self,
        group: _Group,
        rejected_by: Iterable[str],
        kinds: frozenset[Kind],
        since: int | None,
        *,
        was_tried: bool,
        is_gated: bool,
    ) -> None:
        group.rejected_by = tuple(rejected_by)
        self._listen(group, kinds)
        if was_tried:
            group.attempts = 0 if is_gated else group.attempts + 1
            group.failed_at = self._clock.monotonic()
            group.is_awake = False
            self._set_timer(group, FLUSH_AFTER_S)
        if since is not None and self._missed(group, since):
            self._wake(group)

    def retry(self, uid: str, facts: PodFacts | None = None) -> None:
        """The try came to nothing for another reason: again after the back-off, with `facts` if given."""
        waiting = self._pods.get(uid)
        if waiting is None or waiting.is_active:
            return
        waiting.is_out = False
        self._leave(waiting)
        waiting.facts = facts or waiting.facts
        delay_s = self._backoff_s(waiting.attempts)
        waiting.timer = self._clock.call_later(delay_s, partial(self._activate, waiting))

    def changed(self, change: Change, only: Iterable[str] | None = None) -> None:
        """Something changed: resting pods it may help are tried again, each after its back-off.

        `only` are the uids of all pods it is about, where that is known.
        """
        self.changes += 1
        self._recent.append((self.changes, change))
        if only is not None:
            self._changed_for(change, only)
            return
        if not self._by_kind[change.kind]:
            return
        known = self._news.get(change.kind)
        if known is None:
            self._news[change.kind] = Change(change.kind, dict(change.names), dict(change.pods))
        else:
            known.names.update(change.names)
            known.pods.update(change.pods)
        self._available.set()

    def _changed_for(self, change: Change, uids: Iterable[str]) -> None:
        for uid in uids:
            waiting = self._pods.get(uid)
            group = waiting.group if waiting is not None else None
            if waiting is None or group is None or waiting.is_active or waiting.is_out:
                continue
            if change.kind in group.kinds and self._concern(waiting.facts, group.rejected_by, change):
                if len(group.pods) > 1:
                    group.pods = {uid: waiting, **group.pods}  # it is tried first
                if not group.is_awake:
                    self._wake(group)
        self._available.set()

    def _missed(self, group: _Group, since: int) -> bool:
        """Whether anything happened since then that may help the group."""
        if self.changes == since:
            return False
        recent = [change for number, change in self._recent if number > since]
        if len(recent) < self.changes - since:
            return True  # more than is remembered
        return any(change.kind in group.kinds and self._is_concerned(group, change) for change in recent)

    def _is_concerned(self, group: _Group, change: Change) -> bool:
        first = next(iter(group.pods.values()))
        return self._concern(first.facts, group.rejected_by, change)

    def _look(self) -> bool:
        """Hold the news against a portion of the groups; whether there was anything to do."""
        if self._looking is None:
            if not self._news:
                return False
            news, self._news = list(self._news.values()), {}
            self._looking = self._through(news)
        if next(self._looking, self) is self:
            self._looking = None
        return True

    def _through(self, news: list[Change]) -> Iterator[None]:
        looked, portion = 0, Portions(PORTION_S)
        for change in news:
            for group in list(self._by_kind[change.kind].values()):
                if group.is_awake or not group.pods:
                    continue
                if self._is_concerned(group, change):
                    self._wake(group)
                looked += 1
                if looked % PORTION == 0 or portion.is_over:
                    yield
                    portion.begin()

    def _wake(self, group: _Group) -> None:
        """Try the first of the group when its back-off is over."""
        group.is_awake = True
        left_s = group.failed_at + self._backoff_s(group.attempts) - self._clock.monotonic()
        if group.attempts and left_s > 0:
            self._set_timer(group, left_s)
        else:
            self._try_some(group, 1)

    def _try_some(self, group: _Group, count: int) -> None:
        """Try the first of those that rest."""
        group.is_awake = False  # what changes from here on is not seen by them for sure
        if not group.pods:
            return
        self._set_timer(group, FLUSH_AFTER_S)
        resting = (other for other in group.pods.values() if not other.is_active and not other.is_out)
        for waiting in list(itertools.islice(resting, count)):
            self._push(waiting)

    def _set_timer(self, group: _Group, delay_s: float) -> None:
        if group.timer is not None:
            group.timer.cancel()
        group.timer = self._clock.call_later(delay_s, partial(self._try_some, group, 1))

    def _listen(self, group: _Group, kinds: frozenset[Kind]) -> None:
        if kinds == group.kinds:
            return
        for kind in group.kinds - kinds:
            del self._by_kind[kind][group.key]
        for kind in kinds - group.kinds:
            self._by_kind[kind][group.key] = group
        group.kinds = kinds

    def _backoff_s(self, attempts: int) -> float:
        delay: float = self._first_backoff_s * 2.0 ** min(max(attempts - 1, 0), 20)
        return min(delay, self._longest_backoff_s)

    def _activate(self, waiting: _Waiting) -> None:
        self._leave(waiting)
        self._push(waiting)

    def _push(self, waiting: _Waiting) -> None:
        if not waiting.is_active:
            waiting.is_active, waiting.is_out = True, False
            waiting.order = next(self._order)
            heapq.heappush(self._heap, (-waiting.facts.priority, waiting.order, waiting.facts.uid))
        self._available.set()

    def _leave(self, waiting: _Waiting) -> None:
        """Take a pod from where it waits."""
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None
        if waiting.group is not None:
            self._drop(waiting.group, waiting)

    def _drop(self, group: _Group, waiting: _Waiting) -> None:
        group.pods.pop(waiting.facts.uid, None)
        waiting.group = None
        if not group.pods:
            if group.timer is not None:
                group.timer.cancel()
            self._listen(group, frozenset())
            self._groups.pop(group.key, None)
