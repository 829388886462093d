"""Pods that wait, and those of them that rest together because they ask for the same (`Waiting`, `Group`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from itertools import islice

from wherry.kit.clock import Timer
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Kind


@dataclass(eq=False, slots=True)
class Waiting:
    """A pod that waits, is to be tried, or is under way."""

    facts: PodFacts
    order: int
    attempts: int = 0
    timer: Timer | None = None
    is_active: bool = False
    is_out: bool = False
    """Handed out, and not answered yet."""
    group: Group | None = None
    """The resting pods it is one of, if it rests."""


@dataclass(eq=False, slots=True)
class Group:
    """Resting pods that ask for the same. Each change of who is one of them, and of whose turn it is, costs
    the same however many they are.
    """

    key: Hashable
    kinds: frozenset[Kind] = frozenset()
    rejected_by: tuple[str, ...] = ()
    attempts: int = 0
    failed_at: float = 0.0
    timer: Timer | None = None
    """Brings the first pod back: after the back-off if something changed, at the latest with the flush."""
    is_awake: bool = False
    _resting: OrderedDict[str, Waiting] = field(default_factory=OrderedDict)
    """The first is tried next."""
    _tried: OrderedDict[str, Waiting] = field(default_factory=OrderedDict)
    """Active or handed out: they rest again if it comes to nothing."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody is left, not even one that is tried."""
        return not self._resting and not self._tried

    @property
    def example(self) -> PodFacts:
        """What all of them ask for, as one of them says it."""
        return next(iter((self._resting or self._tried).values())).facts

    def next(self, count: int) -> list[Waiting]:
        """Those whose turn it is, so many at most."""
        return list(islice(self._resting.values(), count))

    def rest(self, waiting: Waiting) -> None:
        """Have a pod wait as the last of them."""
        self.drop(waiting)
        self._resting[waiting.facts.uid] = waiting
        waiting.group = self

    def begin(self, waiting: Waiting) -> None:
        """Note that a pod is tried, and does not wait for its turn any more."""
        if self._resting.pop(waiting.facts.uid, None) is not None:
            self._tried[waiting.facts.uid] = waiting

    def prefer(self, waiting: Waiting) -> None:
        """Have a pod that rests be the next."""
        if waiting.facts.uid in self._resting:
            self._resting.move_to_end(waiting.facts.uid, last=False)

    def drop(self, waiting: Waiting) -> None:
        """Forget a pod."""
        self._resting.pop(waiting.facts.uid, None)
        self._tried.pop(waiting.facts.uid, None)
        waiting.group = None
