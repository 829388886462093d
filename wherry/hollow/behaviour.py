"""Which stages an object goes through: an outcome's, those of files, or our own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.resource import Resource
from wherry.hollow.machines import node_stages
from wherry.hollow.outcomes import NodeOutcome, Outcome
from wherry.hollow.pods import pod_stages
from wherry.hollow.stages import Stage
from wherry.objects.meta import Object


class Behaviour:
    """What `stages` and `outcomes` say of each object; our own set for what they leave open."""

    def __init__(
        self, stages: Sequence[Stage], outcomes: Sequence[Outcome | NodeOutcome], status_s: float
    ) -> None:
        self._given: dict[Resource, tuple[Stage, ...]] = {}
        for stage in stages:
            self._given[stage.resource] = (*self._given.get(stage.resource, ()), stage)
        own = node_stages(status_s, [found for found in outcomes if isinstance(found, NodeOutcome)])
        losing = tuple(stage for stage in own if stage.name.startswith("node-lost-"))
        self._nodes = (*losing, *self._given[NODES]) if NODES in self._given else own
        self._pods = self._given.get(PODS) or pod_stages(Outcome())
        self._outcomes = [(found, pod_stages(found)) for found in outcomes if isinstance(found, Outcome)]

    @property
    def has_stages_of_nodes(self) -> bool:
        """Whether stages that were given say what nodes do, in place of our own."""
        return NODES in self._given

    @property
    def resources(self) -> list[Resource]:
        """What is played: nodes and pods, and what else stages were given for."""
        return [NODES, PODS, *(resource for resource in self._given if resource not in (NODES, PODS))]

    def stages_of(self, resource: Resource) -> Callable[[Object], Sequence[Stage]]:
        """What finds the stages of an object of that resource."""
        if resource == PODS:
            return self._pod_stages
        found = self._nodes if resource == NODES else self._given[resource]
        return lambda _: found

    def _pod_stages(self, pod: Object) -> Sequence[Stage]:
        for outcome, stages in self._outcomes:
            if outcome.chosen.fits(pod):
                return stages
        return self._pods
