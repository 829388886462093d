"""Decisions in which extenders have a say: after the plugins' filters, and beside their scores."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import numpy as np

from wherry.scheduler.decisions import Decisions
from wherry.scheduler.extenders import POINTS, Extender, Verdict
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import SchedulingError
from wherry.scheduler.preemption import Candidate
from wherry.scheduler.profiles import Profile
from wherry.scheduler.trace import MOST_REASONS, Reason, Trace
from wherry.scheduler.world import World

log = logging.getLogger(__name__)

NAME = "Extenders"
"""What stands for all of them in a trace."""


class Consulting:
    """Asks extenders about pods they are interested in."""

    def __init__(
        self, extenders: Sequence[Extender], decisions: Decisions, world: World, random: Random
    ) -> None:
        self._extenders = tuple(extenders)
        self._decisions = decisions
        self._world = world
        self._random = random

    def interested(self, pod: PodFacts) -> list[Extender]:
        """Those that want to be asked about a pod."""
        return [extender for extender in self._extenders if extender.is_interested(pod)]

    async def choose(self, profile: Profile, pod: PodFacts) -> tuple[str, Trace | None]:
        """The node, or "" and a trace that has the extenders' reasons. Raises SchedulingError."""
        extenders = self.interested(pod)
        evaluation = self._decisions.evaluation(profile, pod)
        nodes = self._world.nodes.names
        names = [nodes[row] for row in np.flatnonzero(evaluation.feasible)] if not evaluation.refusal else []
        if not names:
            return "", evaluation.trace()
        verdict = await self._filtered(extenders, pod, names)
        if not verdict.left:
            return "", with_verdict(self._decisions.evaluation(profile, pod).trace(), verdict)
        points: dict[str, int] = {}
        if len(verdict.left) > 1:
            points = await self._points(extenders, pod, verdict.left)
        # While they were asked the world went on.
        evaluation = self._decisions.evaluation(profile, pod)
        row_of = self._world.nodes.row_of
        rows = {row_of[name]: points.get(name, 0) for name in verdict.left if name in row_of}
        row = evaluation.best_among(rows, self._random)
        if row < 0:
            return "", with_verdict(evaluation.trace(), verdict)
        return self._world.nodes.names[row], None

    async def _filtered(self, extenders: Sequence[Extender], pod: PodFacts, names: list[str]) -> Verdict:
        found = Verdict(names)
        for extender in extenders:
            try:
                verdict = await extender.filter(pod, found.left)
            except SchedulingError as error:
                if not extender.ignorable:
                    raise
                log.info("extender %s is passed over: %s", extender.url, error)
                continue
            found.left = verdict.left
            found.failed.update(verdict.failed)
            found.hard.update(verdict.hard)
            if not found.left:
                break
        return found

    async def preempt(self, pod: PodFacts, candidates: list[Candidate]) -> list[Candidate]:
        """The candidates extenders leave, one after the other (callExtenders). Raises SchedulingError."""
        for extender in self.interested(pod):
            if not extender.preempts or not candidates:
                continue
            try:
                candidates = await extender.preempt(pod, candidates, self._pods_on)
            except SchedulingError as error:
                if not extender.ignorable:
                    raise
                log.info("extender %s is passed over: %s", extender.url, error)
        return candidates

    def _pods_on(self, node: str) -> Mapping[str, PodFacts] | None:
        row = self._world.nodes.row_of.get(node)
        return None if row is None else self._world.nodes.pods[row]

    async def _points(self, extenders: Sequence[Extender], pod: PodFacts, names: list[str]) -> dict[str, int]:
        """Weighted points; an extender that fails here gives none, as upstream."""
        total: dict[str, int] = {}
        for extender in extenders:
            try:
                points = await extender.prioritize(pod, names)
            except SchedulingError as error:
                log.info("extender %s gives no points: %s", extender.url, error)
                continue
            for name, own in points.items():
                total[name] = total.get(name, 0) + own * extender.weight * POINTS
        return total


def with_verdict(trace: Trace, verdict: Verdict) -> Trace:
    """The trace with what extenders said of nodes that passed the plugins."""
    reasons: list[Reason] = []
    bits = np.zeros(len(trace.nodes), dtype=np.int64)
    for row, name in enumerate(trace.nodes):
        if name in verdict.hard:
            reason = Reason(verdict.hard[name], resolvable=False)
        elif name in verdict.failed:
            reason = Reason(verdict.failed[name], resolvable=True)
        else:
            continue
        if reason not in reasons:
            if len(reasons) == MOST_REASONS:
                continue
            reasons.append(reason)
        bits[row] |= 1 << reasons.index(reason)
    return replace(
        trace,
        filters=[*trace.filters, NAME],
        reasons=[*trace.reasons, reasons],
        blocked=np.vstack((trace.blocked, bits)),
    )
