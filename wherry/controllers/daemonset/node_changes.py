"""Which DaemonSets see a changed node otherwise than before: found out in portions, not while it is told.

Many sets mean the same nodes, so a change is judged once for each way of choosing nodes there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from wherry.controllers.daemonset.fleet import Fleet
from wherry.controllers.daemonset.placement import Placement
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object, labels_of, name_of


class NodeChanges:
    """Touches the node in each of `fleets` (by their sets' keys) it is another for, and `tell`s the key."""

    def __init__(
        self, fleets: Mapping[str, Fleet], tell: Callable[[str], None], tasks: Tasks, clock: Clock
    ) -> None:
        self._fleets = fleets
        self._tell = tell
        self._waiting: deque[tuple[Object | None, Object | None]] = deque()
        self._looking = Repeater("node changes", self._look, tasks, clock)

    def put(self, old: Object | None, new: Object | None) -> None:
        """A node is another than it was; heartbeats concern nobody."""
        if old is None or new is None or _placing(old) != _placing(new):
            self._waiting.append((old, new))
            self._looking.poke()

    async def _look(self) -> None:
        portions = Portions(Work.CONTROLLING)
        while self._waiting:
            old, new = self._waiting.popleft()
            name = name_of(new or old or {})
            judged: dict[str, bool] = {}
            for key, fleet in list(self._fleets.items()):
                await portions.next()
                placement = fleet.judge.placement if fleet.judge is not None else None
                if _is_other(placement, old, new, judged):
                    fleet.touch(name)
                    self._tell(key)


def _is_other(
    placement: Placement | None, old: Object | None, new: Object | None, judged: dict[str, bool]
) -> bool:
    """Whether pods may be on the node that might not before, or the other way; `judged` keeps answers."""
    if old is None or new is None or placement is None:
        return True
    found = judged.get(placement.choice)
    if found is None:
        found = judged[placement.choice] = placement.verdict(old) != placement.verdict(new)
    return found


def _placing(node: Object) -> tuple[object, object]:
    """All of a node that decides who may be on it."""
    return labels_of(node), (node.get("spec") or {}).get("taints")
