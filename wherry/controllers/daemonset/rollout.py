"""How a DaemonSet's update goes on: which old pods go, and where new ones come first (rollingUpdate).

Without surge an old pod makes room for the new one, and at most `maxUnavailable` nodes are without an
available pod. With surge the new pod comes beside the old one, on at most `maxSurge` nodes at once, and the
old one goes when the new one is available.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from wherry.controllers.daemonset.fleet import Fleet
from wherry.controllers.daemonset.judgement import IN_USE, Stage
from wherry.objects.intstr import resolve
from wherry.objects.meta import Object


@dataclass(frozen=True, slots=True)
class Rollout:
    """The old pods to delete, and the nodes to make a new pod for beside the old one."""

    delete: list[Object] = field(default_factory=list)
    create: list[str] = field(default_factory=list)


def plan_rollout(daemon_set: Object, fleet: Fleet, most: int) -> Rollout:
    """The next steps of an update, at most `most` of each kind; none for OnDelete."""
    strategy = daemon_set["spec"].get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return Rollout()
    rolling = strategy.get("rollingUpdate") or {}
    desired = fleet.counts["desiredNumberScheduled"]
    surge = resolve(rolling.get("maxSurge") or 0, desired, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable") or 0, desired, round_up=True)
    if fleet.judge is not None and fleet.judge.has_surge:
        return _surging(fleet, surge, desired, most)
    return _replacing(fleet, max(unavailable, 1), most)


def _replacing(fleet: Fleet, unavailable: int, most: int) -> Rollout:
    free, candidates = fleet.stages[Stage.FREE], fleet.stages[Stage.CANDIDATE]
    budget = unavailable - len(fleet.stages[Stage.BUSY]) - len(free)
    chosen = [*islice(free, most), *islice(candidates, max(budget, 0))]
    return Rollout(delete=_old_pods(fleet, chosen[:most]))


def _surging(fleet: Fleet, surge: int, desired: int, most: int) -> Rollout:
    stages = fleet.stages
    spare = fleet.counts[IN_USE] - desired
    going = [*islice(stages[Stage.DONE], most), *islice(stages[Stage.LEAVING], max(spare, 0))]
    budget = surge - len(stages[Stage.BUSY])
    coming = [*islice(stages[Stage.FREE], most), *islice(stages[Stage.CANDIDATE], max(budget, 0))]
    return Rollout(_old_pods(fleet, going[:most]), coming[:most])


def _old_pods(fleet: Fleet, nodes: Iterable[str]) -> list[Object]:
    return [old for node in nodes if (old := fleet[node].old) is not None]
