"""Which zones have lost so many nodes that the fault will not be theirs, and how fast nodes are given up on.

Each zone gives up on its silent nodes one after the other, at a rate that depends on how many are ready;
when no zone has a ready node any more, nobody is given up on. Source: pkg/controller/nodelifecycle
(handleDisruption, ComputeZoneState, ReducedQPSFunc).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from wherry.controllers.config import ControllerConfig
from wherry.controllers.nodes.plan import readiness
from wherry.objects.meta import Object, labels_of, name_of

REGIONS = ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region")
ZONES = ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone")
EXCLUDED = "node.kubernetes.io/exclude-disruption"
"""Nodes with this label say nothing about how their zone is."""
FEW = 2
"""So many silent nodes, whatever share of a zone they are, are no disruption of it."""

Key = tuple[str, str]
"""(region, zone), either of them "" where a node's labels do not say it."""


class State(Enum):
    """How a zone is."""

    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


@dataclass(slots=True)
class Zone:
    """The nodes of one zone: how many count as ready and as silent, and who waits to be given up on."""

    ready: int = 0
    silent: int = 0
    nodes: set[str] = field(default_factory=set)
    waiting: dict[str, None] = field(default_factory=dict)
    """In the order they came."""
    turn_at: float = 0.0
    """When the next may be given up on (monotonic)."""


@dataclass(frozen=True, slots=True)
class _Seen:
    zone: Key
    is_ready: bool
    counts: bool


_NOWHERE = _Seen(("", ""), is_ready=False, counts=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What a node's event changed: `zone` is in another state, all went down or came back, `next` is next."""

    zone: Key
    is_other_state: bool = False
    went_down: bool = False
    came_back: bool = False
    next: str | None = None
    """Whose turn it is in a zone the node has left."""


class Zones:
    """All nodes by zone. Each event costs the same however many nodes there are."""

    def __init__(self, config: ControllerConfig) -> None:
        self._config = config
        self._zones: dict[Key, Zone] = {}
        self._seen: dict[str, _Seen] = {}
        self._not_full = 0
        """Zones with a ready node that counts."""

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def is_all_down(self) -> bool:
        """Whether no zone has a ready node: then it is this end that is cut off."""
        return not self._not_full

    def silent(self) -> list[str]:
        """The nodes that are not ready, of all zones."""
        return [name for name, seen in self._seen.items() if not seen.is_ready]

    def saw(self, node: Object) -> Change:
        """A node is there, or has changed."""
        seen = _Seen(zone_key(node), readiness(node) == "True", EXCLUDED not in labels_of(node))
        return self._replace(name_of(node), seen)

    def lost(self, name: str) -> Change | None:
        """A node is gone; None for one nobody knew."""
        return self._replace(name, None) if name in self._seen else None

    def state(self, zone: Key) -> State:
        """How the zone is."""
        found = self._zones.get(zone)
        return self._state(found) if found is not None else State.NORMAL

    def rate(self, zone: Key) -> float:
        """How many nodes per second are given up on in the zone."""
        if self.is_all_down:
            return 0.0
        config, found = self._config, self._zones.get(zone)
        if found is None or self._state(found) is not State.PARTIAL:
            return config.node_eviction_rate
        is_large = found.ready + found.silent > config.large_cluster_size_threshold
        return config.secondary_node_eviction_rate if is_large else 0.0

    # Turns

    def turn(self, name: str, now: float) -> float | None:
        """Seconds until the node may be given up on: 0 for now; None when something else comes first.

        Who is asked for waits from then on, until `given_up` or `spared`.
        """
        zone = self._zones[self._seen[name].zone]
        zone.waiting.setdefault(name)
        if next(iter(zone.waiting)) != name or self.rate(self._seen[name].zone) <= 0:
            return None
        return max(zone.turn_at - now, 0.0)

    def given_up(self, name: str, now: float) -> str | None:
        """The node was: who is next in its zone."""
        key = self._seen[name].zone
        zone, rate = self._zones[key], self.rate(key)
        zone.waiting.pop(name, None)
        if rate > 0:
            zone.turn_at = now + 1 / rate
        return next(iter(zone.waiting), None)

    def spared(self, name: str) -> str | None:
        """The node need not be given up on: who is next, if it was first."""
        seen = self._seen.get(name)
        return self._leave(self._zones[seen.zone], name) if seen is not None else None

    def at_another_rate(self, zone: Key, now: float) -> str | None:
        """The zone has another state: who is next by the rate it has now."""
        found, rate = self._zones.get(zone), self.rate(zone)
        if found is None or rate <= 0:
            return None
        found.turn_at = min(found.turn_at, now + 1 / rate)
        return next(iter(found.waiting), None)

    def _leave(self, zone: Zone, name: str) -> str | None:
        was_first = next(iter(zone.waiting), None) == name
        zone.waiting.pop(name, None)
        return next(iter(zone.waiting), None) if was_first else None

    def _replace(self, name: str, new: _Seen | None) -> Change:
        if new is not None and self._seen.get(name) == new:
            return Change(new.zone)  # a heartbeat: the most frequent event
        old, was_down, following = self._seen.pop(name, None), self.is_all_down, None
        key = (new or old or _NOWHERE).zone
        before = self.state(key)
        if old is not None:
            zone = self._count(name, old, -1)
            if new is None or new.zone != old.zone:
                following = self._leave(zone, name)
                if not zone.nodes:
                    del self._zones[old.zone]
        if new is not None:
            self._seen[name] = new
            self._count(name, new, 1)
        is_down = self.is_all_down
        is_other = self.state(key) is not before
        return Change(key, is_other, is_down and not was_down, was_down and not is_down, following)

    def _count(self, name: str, seen: _Seen, by: int) -> Zone:
        zone = self._zones.setdefault(seen.zone, Zone())
        self._not_full -= zone.ready > 0
        if seen.counts and seen.is_ready:
            zone.ready += by
        elif seen.counts:
            zone.silent += by
        (zone.nodes.add if by > 0 else zone.nodes.discard)(name)
        self._not_full += zone.ready > 0
        return zone

    def _state(self, zone: Zone) -> State:
        if not zone.ready:
            return State.FULL if zone.silent else State.NORMAL
        share = zone.silent / (zone.ready + zone.silent)
        if zone.silent > FEW and share >= self._config.unhealthy_zone_threshold:
            return State.PARTIAL
        return State.NORMAL


def zone_key(node: Object) -> Key:
    """The region and zone a node's labels name; the old names count first, as upstream has it."""
    labels = labels_of(node)
    region, zone = (
        next((labels[name] for name in names if labels.get(name)), "") for names in (REGIONS, ZONES)
    )
    return region, zone
