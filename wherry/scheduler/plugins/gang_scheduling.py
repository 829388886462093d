"""GangScheduling: pods of a gang are tried when there are enough of them (upstream's plugin of that name).

That they are then placed together, or not at all, is `group_cycle`.
"""

from __future__ import annotations

from collections.abc import Hashable

from wherry.api.scheduling.pod_groups import group_key
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import Change, Kind, Plugin
from wherry.scheduler.groups import is_gang, min_count
from wherry.scheduler.world import World

NAME = "GangScheduling"
TOO_FEW = "waiting for minCount pods from a gang to appear in scheduling queue"


class GangScheduling(Plugin):
    """See the module."""

    name = NAME
    changes = frozenset({Kind.POD_GROUPS})

    def gate(self, pod: PodFacts, world: World) -> str:
        """See `Plugin.gate`: the group has to be there, and as many of its pods as it wants."""
        key = group_key(pod.pod)
        if not key:
            return ""
        group = world.groups.get(key)
        if group is None:
            name = key.partition("/")[2]
            return f'waiting for pod\'s pod group "{name}" to appear in scheduling queue'
        if is_gang(group) and world.groups.count(key) < min_count(group):
            return TOO_FEW
        return ""

    def signature(self, pod: PodFacts) -> Hashable:
        """See `Plugin.signature`."""
        return group_key(pod.pod) or None

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """See `Plugin.concerned`: its own group."""
        return group_key(pod.pod) in change.names
