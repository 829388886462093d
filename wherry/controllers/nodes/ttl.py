"""How long kubelets may remember Secrets and ConfigMaps: longer the more nodes there are.

Source: pkg/controller/ttl/ttl_controller.go. The bounds overlap, so that a cluster at one of them does not go
to and fro. A node is told when something else about it changes, so no step costs a write to each at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from wherry.api.core.nodes import NODES
from wherry.client.cache import Cache
from wherry.controllers.base import Controller, Environment
from wherry.objects.meta import Object, annotations_of, key_of

ANNOTATION = "node.alpha.kubernetes.io/ttl"


@dataclass(frozen=True, slots=True)
class Step:
    """Clusters of `least` to `most` nodes may be in this step."""

    least: int
    most: float
    ttl_s: int


STEPS = (
    Step(0, 100, 0),
    Step(90, 500, 15),
    Step(450, 1000, 30),
    Step(900, 2000, 60),
    Step(1800, float("inf"), 300),
)


def next_step(step: int, nodes: int) -> int:
    """The number of the step a cluster of so many nodes is in, which was in `step` before."""
    while nodes > STEPS[step].most:
        step += 1
    while nodes < STEPS[step].least:
        step -= 1
    return step


class NodeTtl(Controller):
    """Writes the annotation."""

    name = "ttl"
    account = "ttl-controller"
    primary = NODES
    workers: ClassVar = 1

    def __init__(self, environment: Environment) -> None:
        self._nodes = 0
        self._step = 0
        super().__init__(environment)

    def map_primary(self, cache: Cache, old: Object | None, new: Object | None) -> Iterable[str]:
        """A node that is there, unless it says what it should already."""
        self._nodes += (new is not None) - (old is not None)
        self._step = next_step(self._step, self._nodes)
        if new is not None and annotations_of(new).get(ANNOTATION) != self._wanted:
            yield key_of(new)

    async def sync(self, key: str) -> float | None:
        """Write the annotation of one node."""
        node = self.cache.get(NODES, key)
        if node is not None and annotations_of(node).get(ANNOTATION) != self._wanted:
            await self.patch(key, NODES, node, {"metadata": {"annotations": {ANNOTATION: self._wanted}}})
        return None

    @property
    def _wanted(self) -> str:
        return str(STEPS[self._step].ttl_s)
