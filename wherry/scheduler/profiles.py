"""A profile: the plugins that decide about the pods of one `schedulerName`, their order and weights."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from wherry.scheduler.facts import DEFAULT_SCHEDULER, PodFacts
from wherry.scheduler.framework import Plugin, overrides
from wherry.scheduler.world import World


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plugin of a profile: whether it filters, and how much its score counts (0: not at all)."""

    plugin: Plugin
    weight: int = 0
    filters: bool = True


class Profile:
    """Plugins in their order, sorted by what they have to say."""

    def __init__(
        self,
        name: str,
        chosen: Sequence[Chosen],
        *,
        preempts: bool = True,
        min_candidates_percent: int = 10,
        min_candidates: int = 100,
    ) -> None:
        self.name = name or DEFAULT_SCHEDULER
        self.chosen = tuple(chosen)
        self.preempts = preempts
        self.min_candidates_percent = min_candidates_percent
        self.min_candidates = min_candidates
        self.plugins = {one.plugin.name: one.plugin for one in chosen}
        self._signers = tuple(p for p in self.plugins.values() if overrides(p, "signature"))
        self.binding = tuple(
            p
            for p in self.plugins.values()
            if any(overrides(p, hook) for hook in ("reserve", "pre_bind", "unreserve"))
        )
        """Those that want to know of a binding."""
        self.holding = tuple(p for p in self.plugins.values() if overrides(p, "is_held_up"))
        """Those that may hold a binding up."""
        self.gates = tuple(one.plugin for one in chosen if one.filters and overrides(one.plugin, "gate"))
        """Those that may say a pod is not to be tried yet."""
        self.rescuers = tuple(p for p in self.plugins.values() if overrides(p, "post_filter"))
        """Those that may help a pod that fits nowhere."""

    def signature(self, pod: PodFacts) -> Hashable:
        """Pods of one template and one signature get the same answers."""
        return tuple(plugin.signature(pod) for plugin in self._signers)

    def waits_as(self, pod: PodFacts, world: World) -> Hashable:
        """Pods of one template for which this is equal wait for the same."""
        return tuple(plugin.waits_as(pod, world) for plugin in self._signers)
