"""Decisions about pods: answers kept for those that ask for the same, and the last traces (`Decisions`).
Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from random import Random

from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.preemption import Search
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import Record, Trace
from wherry.scheduler.world import World

MOST_EVALUATIONS = 16
MOST_TRACES = 128


class Decisions:
    """Decides in one world; ties are broken by `random`."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._evaluations: OrderedDict[Hashable, tuple[Evaluation, Search]] = OrderedDict()
        self._records: OrderedDict[str, Record | Trace] = OrderedDict()

    def evaluation(self, profile: Profile, pod: PodFacts) -> Evaluation:
        """The answers for pods like this one, up to date."""
        return self._up_to_date(profile, pod)[0]

    def search(self, profile: Profile, pod: PodFacts) -> Search:
        """What is known of nodes where others could be evicted for such pods."""
        return self._up_to_date(profile, pod)[1]

    def choose(self, profile: Profile, pod: PodFacts) -> str:
        """The node the pod goes to, "" if there is none: the one it is nominated to if it fits there by
        now.
        """
        evaluation = self.evaluation(profile, pod)
        row = -1
        if pod.nominated_node:
            row = self._world.nodes.row_of.get(pod.nominated_node, -1)
            if row >= 0 and (evaluation.refusal is not None or not evaluation.feasible[row]):
                row = -1
        if row < 0:
            row = evaluation.best(self._random)
        if row < 0:
            return ""
        node = self._world.nodes.names[row]
        self.keep(pod, evaluation.record(node))
        return node

    def key(self, profile: Profile, pod: PodFacts) -> Hashable:
        """Pods of equal key get the same answers."""
        return profile.name, pod.template, profile.signature(pod)

    def keep(self, pod: PodFacts, made_of: Record | Trace) -> None:
        """Remember what a decision was made of, for a while."""
        self._records[pod.uid] = made_of
        self._records.move_to_end(pod.uid)
        if len(self._records) > MOST_TRACES:
            self._records.popitem(last=False)

    def trace_of(self, uid: str) -> Trace | None:
        """The last decision about a pod, if it is remembered."""
        found = self._records.get(uid)
        return found.trace() if isinstance(found, Record) else found

    def _up_to_date(self, profile: Profile, pod: PodFacts) -> tuple[Evaluation, Search]:
        key = self.key(profile, pod)
        known = self._evaluations.get(key)
        if known is not None and known[0].catch_up():
            self._evaluations.move_to_end(key)
            return known
        search = known[1] if known is not None else Search()
        found = self._evaluations[key] = (Evaluation(profile, pod, self._world), search)
        self._evaluations.move_to_end(key)
        if len(self._evaluations) > MOST_EVALUATIONS:
            self._evaluations.popitem(last=False)
        return found
