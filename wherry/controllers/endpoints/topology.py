"""Hints of Services whose topology mode is `Auto`, and which of them are to be looked at when nodes change.

Source: staging/src/k8s.io/endpointslice (reconciler.go, topologycache) and pkg/controller/endpointslice
(checkNodeTopologyDistribution).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from wherry.api.core.nodes import NODES
from wherry.api.core.services import wants_topology
from wherry.client.cache import Cache
from wherry.client.events import NORMAL, WARNING
from wherry.controllers.endpoints.members import families_of
from wherry.controllers.endpoints.sharing import is_overloaded, share_out
from wherry.controllers.endpoints.slice_plan import SlicePlan
from wherry.controllers.endpoints.zone_shares import ZoneShares
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object, is_controlled_by, is_deleting, name_of

ENABLED, DISABLED = "TopologyAwareHintsEnabled", "TopologyAwareHintsDisabled"

Told = list[tuple[str, str, str]]
"""Events: (type, reason, message) of each."""


class TopologyHints:
    """Follows the nodes of `cache`; `tell`s the keys of services a zone has too few endpoints of now."""

    def __init__(self, cache: Cache, tell: Callable[[str], None], tasks: Tasks, clock: Clock) -> None:
        self._tell = tell
        self._zones = ZoneShares()
        self._counts: dict[str, dict[str, Counter[str]]] = {}
        """The endpoints meant for each zone, by family, of each service that asks for it."""
        self._hinted: set[str] = set()
        self._was_known = False
        self._looking = Repeater("zone shares", self._look, tasks, clock)
        cache.on(NODES, self._node_changed)

    def forget(self, key: str) -> None:
        """The service is gone."""
        self._counts.pop(key, None)
        self._hinted.discard(key)

    def apply(self, key: str, service: Object, plan: SlicePlan, existing: Iterable[Object]) -> Told:
        """Give the slices of the plan their hints, and put those in it that need others; what to tell."""
        families = families_of(service)
        if not wants_topology(service):
            told = [self._event(DISABLED, "Topology Aware Hints has been disabled", families[0])]
            had_hints = key in self._hinted
            self.forget(key)
            return told if had_hints else []
        touched = {name_of(piece) for piece in (*plan.update, *plan.delete)}
        left = [
            piece
            for piece in existing
            if name_of(piece) not in touched and is_controlled_by(piece, service) and not is_deleting(piece)
        ]
        found: Told = []
        for family in families:
            found += self._share(key, family, plan, [p for p in left if p["addressType"] == family])
        return found

    def _share(self, key: str, family: str, plan: SlicePlan, others: list[Object]) -> Told:
        create = [piece for piece in plan.create if piece["addressType"] == family]
        update = [piece for piece in plan.update if piece["addressType"] == family]
        shared = share_out([*create, *update], others, self._zones.shares())
        by_name = {name_of(piece): piece for piece in others}
        more = shared.slices[len(create) :]
        plan.create = [p for p in plan.create if p["addressType"] != family] + shared.slices[: len(create)]
        plan.update = [p for p in plan.update if p["addressType"] != family] + [
            piece for piece in more if by_name.get(name_of(piece)) != piece
        ]
        self._counts.setdefault(key, {})[family] = shared.counts
        if shared.problem:
            self._hinted.discard(key)
            return [self._event(DISABLED, shared.problem, family)]
        if key in self._hinted:
            return []
        self._hinted.add(key)
        return [self._event(ENABLED, "Topology Aware Hints has been enabled", family)]

    def _event(self, reason: str, message: str, family: str) -> tuple[str, str, str]:
        kind = NORMAL if reason == ENABLED else WARNING
        return kind, reason, f"{message}, addressType: {family}"

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if self._zones.put(old, new) and self._counts:
            self._looking.poke()

    async def _look(self) -> None:
        portions, shares = Portions(Work.CONTROLLING), self._zones.shares()
        has_turned, self._was_known = (shares is not None) != self._was_known, shares is not None
        for key, families in list(self._counts.items()):
            await portions.next()
            if has_turned or any(is_overloaded(counts, shares) for counts in families.values()):
                self._tell(key)
