"""How far and how fast a number of replicas may move: stabilization and rates.

Source: pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicas and
normalizeDesiredReplicasWithBehaviors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FASTEST_FACTOR, FASTEST_LEAST = 2, 4
"""Without a behavior a target grows to twice its size at once, or to four."""
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
READY = ("ReadyForNewScale", "recommended size matches current size")
UP_STABILIZED = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
DOWN_STABILIZED = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)

Reason = tuple[str, str]
Rules = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limited:
    """What is left of a proposal; `able` and `limited` say whether time and size held it back."""

    replicas: int
    able: Reason
    limited: Reason
    is_limited: bool


@dataclass(slots=True)
class History:
    """What was recommended and done for one autoscaler, each with its moment on the monotonic clock."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    added: list[tuple[float, int]] = field(default_factory=list)
    removed: list[tuple[float, int]] = field(default_factory=list)

    def begin(self, current: int, now: float) -> None:
        """What is there when we first look counts as recommended."""
        if not self.recommended:
            self.recommended.append((now, current))

    def scaled(self, behavior: Rules | None, before: int, after: int, now: float) -> None:
        """Remember a change of size for as long as a policy looks back."""
        if behavior is None:
            return
        for changes, rules, change in (
            (self.added, behavior["scaleUp"], after - before),
            (self.removed, behavior["scaleDown"], before - after),
        ):
            longest = max(policy["periodSeconds"] for policy in rules["policies"])
            changes[:] = [one for one in changes if one[0] >= now - longest]
            if change > 0:
                changes.append((now, change))

    def recommend(self, replicas: int, now: float, keep_s: float) -> None:
        """Remember a recommendation, and forget those older than `keep_s` seconds."""
        self.recommended[:] = [one for one in self.recommended if one[0] >= now - keep_s]
        self.recommended.append((now, replicas))


def limit(
    spec: Rules, history: History, current: int, proposed: int, now: float, stabilization_s: float
) -> Limited:
    """What of a proposal may be done now; it is remembered in the history."""
    least, most = spec.get("minReplicas"), spec["maxReplicas"]
    least = 1 if least is None else least
    behavior = spec.get("behavior")
    if behavior is None:
        return _limit_plainly(history, current, proposed, (least, most), now, stabilization_s)
    down_s = behavior["scaleDown"].get("stabilizationWindowSeconds")
    windows = (
        behavior["scaleUp"]["stabilizationWindowSeconds"],
        stabilization_s if down_s is None else down_s,
    )
    stable = _stabilize(history, current, proposed, now, windows)
    able = READY if stable == proposed else UP_STABILIZED if proposed >= current else DOWN_STABILIZED
    replicas, limited = _within_rates(behavior, history, current, stable, (least, most), now)
    return Limited(replicas, able, limited, replicas != stable)


def _limit_plainly(
    history: History, current: int, proposed: int, bounds: tuple[int, int], now: float, window_s: float
) -> Limited:
    recent = [replicas for at, replicas in history.recommended if at >= now - window_s]
    stable = max([proposed, *recent])
    history.recommend(proposed, now, window_s)
    able = READY if stable == proposed else DOWN_STABILIZED
    least, most = bounds
    fastest = max(FASTEST_FACTOR * current, FASTEST_LEAST)
    highest, why = (fastest, UP_LIMIT) if most > fastest else (most, TOO_MANY)
    if stable < least:
        return Limited(least, able, TOO_FEW, True)
    if stable > highest:
        return Limited(highest, able, why, True)
    return Limited(stable, able, WITHIN, False)


def _stabilize(
    history: History, current: int, proposed: int, now: float, windows: tuple[float, float]
) -> int:
    """As near to the present size as recommendations within the windows (up, down; seconds) allow."""
    up_s, down_s = windows
    lowest = min([proposed, *(r for at, r in history.recommended if at > now - up_s)])
    highest = max([proposed, *(r for at, r in history.recommended if at > now - down_s)])
    history.recommend(proposed, now, max(windows))
    return min(max(current, lowest), highest)


def _within_rates(
    behavior: Rules, history: History, current: int, wanted: int, bounds: tuple[int, int], now: float
) -> tuple[int, Reason]:
    least, most = bounds
    if wanted > current:
        fastest = max(_highest(behavior["scaleUp"], history, current, now), current)
        highest, why = (fastest, UP_LIMIT) if most > fastest else (most, TOO_MANY)
        if wanted > highest:
            return int(highest), why
    elif wanted < current:
        fastest = min(_lowest(behavior["scaleDown"], history, current, now), current)
        lowest, why = (fastest, DOWN_LIMIT) if least < fastest else (least, TOO_FEW)
        if wanted < lowest:
            return lowest, why
    return wanted, WITHIN


def _highest(rules: Rules, history: History, current: int, now: float) -> int:
    """The most replicas the policies for growing allow."""
    if rules["selectPolicy"] == "Disabled":
        return current
    allowed: list[int] = []
    for policy in rules["policies"]:
        start = _at_start(policy, history, current, now)
        is_pods = policy["type"] == "Pods"
        allowed.append(start + policy["value"] if is_pods else math.ceil(start * (1 + policy["value"] / 100)))
    return min(allowed) if rules["selectPolicy"] == "Min" else max(allowed)


def _lowest(rules: Rules, history: History, current: int, now: float) -> int:
    """The fewest replicas the policies for shrinking allow."""
    if rules["selectPolicy"] == "Disabled":
        return current
    allowed: list[int] = []
    for policy in rules["policies"]:
        start = _at_start(policy, history, current, now)
        is_pods = policy["type"] == "Pods"
        allowed.append(start - policy["value"] if is_pods else int(start * (1 - policy["value"] / 100)))
    return max(allowed) if rules["selectPolicy"] == "Min" else min(allowed)


def _at_start(policy: Rules, history: History, current: int, now: float) -> int:
    """How many replicas there were when the policy's period began."""
    since = now - policy["periodSeconds"]
    added = sum(change for at, change in history.added if at > since)
    removed = sum(change for at, change in history.removed if at > since)
    return current - added + removed
