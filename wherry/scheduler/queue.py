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
from functools import partial

from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work, others
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind
from wherry.scheduler.resting import Group, Waiting

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 10.0
FLUSH_AFTER_S = 300.0
"""After so long a resting pod is tried again whatever happened (upstream's five minutes)."""
LONGEST_BATCH = 128
MOST_RECENT = 64
"""So many changes are remembered for pods that are under way meanwhile."""
PORTION = 400
"""How many pods a change is held against before others get their turn."""
GROUP_WEIGHT = 20
"""Room or devices may be searched for where a group is asked; it counts as so many pods of which only the
claims are compared.
"""

Concern = Callable[[PodFacts, Iterable[str], Change], bool]
"""Whether a change may help a pod that the plugins of these names rejected."""


Users = Callable[[], Iterable[str]]
"""The uids of the pods a change is about, asked for when it is held against them; they keep their order."""


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
        self._pods: dict[str, Waiting] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._order = itertools.count()
        self._available = asyncio.Event()
        self._groups: dict[Hashable, Group] = {}
        self._by_kind: dict[Kind, dict[Hashable, Group]] = {kind: {} for kind in Kind}
        self._news: dict[Kind, Change] = {}
        """Changes that no group was held against."""
        self._own_news: dict[tuple[Kind, str], tuple[Change, Users]] = {}
        """The same of changes that are about some pods only, by what they are about."""
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
            waiting = self._pods[facts.uid] = Waiting(facts, next(self._order))
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
                await others(Work.SCHEDULING)
            batch = self._take()
            if batch:
                return batch
            if self._looking is None and not self._news and not self._own_news:
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
        was_tried = group is None or waiting.group is group or group.is_empty
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
            if waiting.group is not None:
                waiting.group.begin(waiting)
        found.sort(key=lambda waiting: (-waiting.facts.priority, waiting.order))
        return [waiting.facts for waiting in found]

    def _rest(self, waiting: Waiting, key: Hashable) -> Group:
        """Have a pod wait as the last of those of this key."""
        waiting.is_out = waiting.is_active = False
        if waiting.group is not None and waiting.group.key != key:
            self._drop(waiting.group, waiting)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
        group.rest(waiting)
        return group

    def _was_rejected(
        self,
        group: Group,
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

    def changed(self, change: Change) -> None:
        """Something changed: resting pods it may help are tried again, each after its back-off."""
        if self._is_news(change):
            self._news[change.kind] = change.after(self._news.get(change.kind))

    def changed_for(self, users: Users, change: Change, about: str) -> None:
        """As `changed`, where the change can help these pods only; those it may help are tried before others.

        `about` is what changed (the key of a claim, the uid of a pod): what is known of it and was not
        looked at yet is one change.
        """
        if self._is_news(change):
            known, _ = self._own_news.get((change.kind, about), (None, users))
            self._own_news[change.kind, about] = (change.after(known), users)

    def _is_news(self, change: Change) -> bool:
        """Remember a change for those under way; whether anybody rests who waits for such."""
        self.changes += 1
        self._recent.append((self.changes, change))
        if not self._by_kind[change.kind]:
            return False
        self._available.set()
        return True

    def _missed(self, group: Group, since: int) -> bool:
        """Whether anything happened since then that may help the group."""
        if self.changes == since:
            return False
        recent = [change for number, change in self._recent if number > since]
        if len(recent) < self.changes - since:
            return True  # more than is remembered
        return any(change.kind in group.kinds and self._is_concerned(group, change) for change in recent)

    def _is_concerned(self, group: Group, change: Change) -> bool:
        return self._concern(group.example, group.rejected_by, change)

    def _look(self) -> bool:
        """Hold the news against a portion of the groups; whether there was anything to do."""
        if self._looking is None:
            if not self._news and not self._own_news:
                return False
            news, self._news = list(self._news.values()), {}
            own_news, self._own_news = list(self._own_news.values()), {}
            self._looking = self._through(news, own_news)
        if next(self._looking, self) is self:
            self._looking = None
        return True

    def _through(self, news: list[Change], own_news: list[tuple[Change, Users]]) -> Iterator[None]:
        weight, portion = 0, Portions(Work.SCHEDULING)
        for more in itertools.chain(self._tell_groups(news), self._tell_users(own_news)):
            weight += more
            if weight >= PORTION or portion.is_over:
                yield
                weight = 0
                portion.begin()

    def _tell_groups(self, news: list[Change]) -> Iterator[int]:
        """Hold changes against all groups; what each step weighs."""
        for change in news:
            for group in list(self._by_kind[change.kind].values()):
                if not group.is_awake and not group.is_empty and self._is_concerned(group, change):
                    self._wake(group)
                yield GROUP_WEIGHT

    def _tell_users(self, own_news: list[tuple[Change, Users]]) -> Iterator[int]:
        """Hold changes against the pods they are about; what each step weighs."""
        for change, users in own_news:
            groups: dict[Hashable, Group] = {}
            for uid in reversed(list(users())):  # each is put before those that were
                if (group := self._preferred(uid, change)) is not None:
                    groups[group.key] = group
                yield 1
            for group in groups.values():
                if not group.is_awake and not group.is_empty:
                    self._wake(group)
                yield 1

    def _preferred(self, uid: str, change: Change) -> Group | None:
        """The group of a resting pod, whose next it is now, if the change may help it."""
        waiting = self._pods.get(uid)
        group = waiting.group if waiting is not None else None
        if waiting is None or group is None or waiting.is_active or waiting.is_out:
            return None
        if change.kind not in group.kinds or not self._concern(waiting.facts, group.rejected_by, change):
            return None
        group.prefer(waiting)
        return group

    def _wake(self, group: Group) -> None:
        """Try the first of the group when its back-off is over."""
        group.is_awake = True
        left_s = group.failed_at + self._backoff_s(group.attempts) - self._clock.monotonic()
        if group.attempts and left_s > 0:
            self._set_timer(group, left_s)
        else:
            self._try_some(group, 1)

    def _try_some(self, group: Group, count: int) -> None:
        """Try the first of those that rest."""
        group.is_awake = False  # what changes from here on is not seen by them for sure
        if group.is_empty:
            return
        self._set_timer(group, FLUSH_AFTER_S)
        for waiting in group.next(count):
            self._push(waiting)

    def _set_timer(self, group: Group, delay_s: float) -> None:
        if group.timer is not None:
            group.timer.cancel()
        group.timer = self._clock.call_later(delay_s, partial(self._try_some, group, 1))

    def _listen(self, group: Group, kinds: frozenset[Kind]) -> None:
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

    def _activate(self, waiting: Waiting) -> None:
        self._leave(waiting)
        self._push(waiting)

    def _push(self, waiting: Waiting) -> None:
        if not waiting.is_active:
            waiting.is_active, waiting.is_out = True, False
            waiting.order = next(self._order)
            if waiting.group is not None:
                waiting.group.begin(waiting)
            heapq.heappush(self._heap, (-waiting.facts.priority, waiting.order, waiting.facts.uid))
        self._available.set()

    def _leave(self, waiting: Waiting) -> None:
        """Take a pod from where it waits."""
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None
        if waiting.group is not None:
            self._drop(waiting.group, waiting)

    def _drop(self, group: Group, waiting: Waiting) -> None:
        group.drop(waiting)
        if group.is_empty:
            if group.timer is not None:
                group.timer.cancel()
            self._listen(group, frozenset())
            self._groups.pop(group.key, None)
