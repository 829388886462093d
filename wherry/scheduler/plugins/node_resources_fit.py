"""NodeResourcesFit: what the pod requests must be free; how much is free decides which node is liked.

Filtering compares requests with what is allocatable and not yet requested, resource by resource. Scoring
goes by one of upstream's strategies (`noderesources/{least,most}_allocated.go`,
`requested_to_capacity_ratio.go`), over requests in which every container asks for something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.framework import TOP_SCORE, Change, Kind, Plugin, Reach, Rejection
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.world import World

DEFAULT_RESOURCES = (("cpu", 1), ("memory", 1))
NATIVE = ("cpu", "memory", "ephemeral-storage")
"""Resources that are scored whether the pod asks for them or not."""

Strategy = Callable[[Ints, Ints], Ints]
"""Points, 0 to 100, for (requested, allocatable) by row; allocatable is at least 1."""


def least_allocated(requested: Ints, allocatable: Ints) -> Ints:
    """The share that would be left."""
    points: Ints = np.maximum(allocatable - requested, 0) * TOP_SCORE // allocatable
    return points


def most_allocated(requested: Ints, allocatable: Ints) -> Ints:
    """The share that would be used."""
    points: Ints = np.minimum(requested, allocatable) * TOP_SCORE // allocatable
    return points


def by_shape(shape: Sequence[tuple[int, int]]) -> Strategy:
    """Points by a broken line through (percent in use, score of 0 to 10), rising percents."""
    table = np.array([_on_line(shape, percent) for percent in range(TOP_SCORE + 1)], dtype=np.int64)

    def points(requested: Ints, allocatable: Ints) -> Ints:
        percents = np.where(requested > allocatable, TOP_SCORE, requested * TOP_SCORE // allocatable)
        found: Ints = table[np.minimum(percents, TOP_SCORE)]
        return found

    return points


def _on_line(shape: Sequence[tuple[int, int]], percent: int) -> int:
    scaled = [(at, score * 10) for at, score in shape]
    before: tuple[int, int] | None = None
    for at, score in scaled:
        if percent <= at:
            if before is None:
                return score
            rise, run = score - before[1], at - before[0]
            return before[1] + int(rise * (percent - before[0]) / run)  # as Go divides: towards zero
        before = (at, score)
    return scaled[-1][1]


class NodeResourcesFit(Plugin):
    """Fit by requests, preference by `strategy` over `resources` and their weights.

    Extended resources in `ignored`, or of a group (the part before the slash) in `ignored_groups`, always
    fit. `is_ratio` is for strategies by shape, whose zero points do not count in the mean.
    """

    name = "NodeResourcesFit"
    reach = Reach.NODE
    changes = frozenset({Kind.NODE, Kind.POD_GONE, Kind.DEVICES})

    def __init__(
        self,
        strategy: Strategy = least_allocated,
        resources: Sequence[tuple[str, int]] = DEFAULT_RESOURCES,
        *,
        ignored: Sequence[str] = (),
        ignored_groups: Sequence[str] = (),
        is_ratio: bool = False,
    ) -> None:
        self._strategy = strategy
        self._resources = tuple(resources)
        self._ignored = frozenset(ignored)
        self._ignored_groups = frozenset(ignored_groups)
        self._is_ratio = is_ratio

    def prepare(self, pod: PodFacts, world: World) -> Template:
        """See `Plugin.prepare`."""
        return pod.template

    def filter(self, state: Template, world: World, rows: Rows) -> list[Rejection]:
        """See `Plugin.filter`."""
        rejections = []
        nodes = world.nodes
        crowded: Bools = nodes.pod_count[rows] >= nodes.resource(nodes.allocatable, "pods")[rows]
        if crowded.any():
            rejections.append(Rejection(crowded, "Too many pods", resolvable=True))
        for name, wanted in state.requests.items():
            if wanted == 0 or self._is_ignored(name):
                continue
            total = nodes.resource(nodes.allocatable, name)[rows]
            short: Bools = wanted > total - nodes.resource(nodes.requested, name)[rows]
            if world.devices.class_of(name):
                short &= total > 0  # else devices are looked for (DynamicResources)
            if not short.any():
                continue
            # Where even an empty node would be too small, evicting others cannot help.
            hopeless: Bools = short & (wanted > total)
            for out, resolvable in ((short & ~hopeless, True), (hopeless, False)):
                if out.any():
                    rejections.append(Rejection(out, f"Insufficient {name}", resolvable))
        return rejections

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: a device class may stand for a resource no node has."""
        if change.kind is Kind.DEVICES:
            return any(map(world.devices.class_of, pod.template.requests))
        return Plugin.concerned(self, pod, change, world)

    def _is_ignored(self, name: str) -> bool:
        if "/" not in name:
            return False
        return name in self._ignored or name.partition("/")[0] in self._ignored_groups

    def score(self, state: Template, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """See `Plugin.score`: the weighted mean over the resources a node has."""
        nodes = world.nodes
        used = {"cpu": nodes.score_cpu, "memory": nodes.score_memory}
        points: Ints | int = 0
        weights: Ints | int = 0
        for name, weight in self._resources:
            wanted = state.score_requests.get(name, 0)
            if not wanted and name not in NATIVE:
                continue
            total = nodes.resource(nodes.allocatable, name)[rows]
            before = used[name][rows] if name in used else nodes.resource(nodes.requested, name)[rows]
            own = self._strategy(before + wanted, np.maximum(total, 1))
            counts = total > 0
            if self._is_ratio:
                counts &= own > 0
            points += own * (counts * weight)
            weights += counts * weight
        if isinstance(weights, int):
            return None
        if self._is_ratio:
            rounded: Ints = np.floor(points / np.maximum(weights, 1) + 0.5).astype(np.int64)
            return rounded
        mean: Ints = points // np.maximum(weights, 1)
        return mean
