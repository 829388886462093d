"""What a scheduling plugin is (upstream's scheduling framework, pkg/scheduler/framework), over all nodes at
once.

A plugin overrides the hooks it has something to say in; `Profile` finds out which these are. `prepare`
looks at a pod once; what it returns (its state) is handed to `filter` and `score`, which answer for the
rows they are asked about. When a pod comes or goes, a plugin is asked again as far as its `reach` goes.
Plugins keep nothing between two pods and never know each other.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum, auto
from typing import Any, ClassVar

import numpy as np

from wherry.client.api import Client
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.interned import Bools, Ints, Rows
from wherry.scheduler.world import World

TOP_SCORE = 100


@dataclass(frozen=True, slots=True)
class Rejection:
    """Of the rows asked about, those in `rows` cannot take the pod because of `reason` (upstream's wording).

    `resolvable` tells whether evicting pods there could help (upstream's Unschedulable as against
    UnschedulableAndUnresolvable).
    """

    rows: Bools
    reason: str
    resolvable: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pod goes nowhere; `of_each_node` if upstream finds it out node by node."""

    reason: str
    of_each_node: bool = False


class Reach(IntEnum):
    """How far the answers of a plugin change when a pod comes to a node or leaves it."""

    NOWHERE = 0
    NODE = 1
    CLUSTER = 2


class Kind(Enum):
    """What kind of thing changed (upstream's ClusterEvent)."""

    NODE = auto()
    POD_PLACED = auto()
    POD_GONE = auto()
    POD_LABELS = auto()
    CLAIMS = auto()
    RESOURCE_CLAIMS = auto()
    DEVICES = auto()
    POD_GROUPS = auto()
    NAMESPACES = auto()


@dataclass(slots=True)
class Change:
    """Something that may help pods that wait: changes of one kind, taken together while nobody looked.

    `names` are those of nodes that came, changed, or from which `pods` went, or of claims and classes, of
    devices those of their nodes ("" for any); `pods` those that came or went.
    """

    kind: Kind
    names: dict[str, None]
    pods: dict[str, PodFacts]

    def after(self, earlier: Change | None) -> Change:
        """This and an earlier change of the same kind as one, which is another's to add to."""
        if earlier is None:
            return Change(self.kind, dict(self.names), dict(self.pods))
        earlier.names.update(self.names)
        earlier.pods.update(self.pods)
        return earlier

    def rows(self, world: World) -> Ints:
        """The rows of its nodes that are still there."""
        row_of = world.nodes.row_of
        return np.array([row_of[name] for name in self.names if name in row_of], dtype=np.int64)


class Plugin:
    """A named plugin that has nothing to say; see the module for when each hook is asked."""

    name: ClassVar[str] = ""
    weight: ClassVar[int] = 1
    """How much the score of a plugin of an installed package counts, where no configuration says."""
    reach: ClassVar[Reach] = Reach.NOWHERE
    scales: ClassVar[bool] = False
    """Whether a score depends on which nodes are feasible at all (upstream's NormalizeScore)."""
    changes: ClassVar[frozenset[Kind]] = frozenset()
    """The kinds of change after which a pod this plugin rejected may fit (upstream's EventsToRegister)."""

    longest_call_s: ClassVar[float] = 0.0
    """So long each of the hooks that are awaited may take, 0 for any time."""

    def gate(self, pod: PodFacts, world: World) -> str:
        """Why the pod is not tried at all yet, "" if it is (upstream's PreEnqueue): nobody is told."""
        return ""

    def version(self, world: World) -> Hashable:
        """What its answers rest on beside nodes and pods: another one, and all is asked anew.

        Asked for pods `prepare` had something to say about.
        """
        return None

    @property
    def gate_changes(self) -> frozenset[Kind]:
        """The kinds of change after which a pod `gate` held back may be tried."""
        return self.changes

    def waits_as(self, pod: PodFacts, world: World) -> Hashable:
        """What pods of a template have in common that wait for the same: then they wait together."""
        return self.signature(pod)

    def prepare(self, pod: PodFacts, world: World) -> Any:
        """What the plugin has to remember about the pod, a `Refusal`, or None for nothing to say (Skip)."""
        return True

    def only(self, state: Any, world: World) -> Bools | None:
        """The rows that are looked at at all, None for all (upstream's PreFilterResult)."""
        return None

    def filter(self, state: Any, world: World, rows: Rows) -> list[Rejection]:
        """Why nodes cannot take the pod, one rejection per reason; an empty answer passes all."""
        return []

    def score(self, state: Any, world: World, rows: Rows, feasible: Bools) -> Ints | None:
        """0 to 100 for each of `rows`, the higher the better; None when all are alike.

        `feasible` is about all rows; those that are not may get anything. Plugins that scale are asked
        about all rows, always.
        """
        return None

    def moved(self, state: Any, world: World, pod: PodFacts, row: int, sign: int) -> bool:
        """Take into `state` that a pod came (1) or went (-1); whether answers changed. Asked if reach is
        CLUSTER.
        """
        return False

    def is_idle(self, state: Any) -> bool:
        """Whether no pod on any node, as far as `state` tells, keeps this pod out of a node. Asked if reach
        is CLUSTER: then what is found on one node holds whatever happens on others.
        """
        return False

    def signature(self, pod: PodFacts) -> Hashable:
        """What the answers depend on beside the pod's template (upstream's SignPlugin)."""
        return None

    def concerned(self, pod: PodFacts, change: Change, world: World) -> bool:
        """Whether the change may help a pod this plugin rejected (upstream's QueueingHintFn).

        As it stands: whether the plugin now passes one of the changed nodes.
        """
        rows = change.rows(world)
        if not len(rows):
            return False
        state = self.prepare(pod, world)
        if state is None:
            return True
        if isinstance(state, Refusal):
            return False
        rejected = np.zeros(len(rows), dtype=np.bool_)
        for rejection in self.filter(state, world, rows):
            rejected |= rejection.rows
        return not rejected.all()

    async def post_filter(self, pod: PodFacts, world: World, client: Client) -> str:
        """Help a pod that fits nowhere; what came of it, for its event. Raises ApiError."""
        return ""

    def reserve(self, pod: PodFacts, node: str, world: World) -> None:
        """Take what the pod needs beside the node, as soon as that is decided.

        Raises SchedulingError; then nothing may be taken.
        """

    async def pre_bind(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """What must be done before the binding. Raises SchedulingError."""

    def is_held_up(self, pod: PodFacts, node: str, world: World, since: datetime) -> bool:
        """Whether a binding that is prepared, `since` when, has to wait for others; asked every few seconds.

        Raises SchedulingError when that is of no use.
        """
        return False

    async def unreserve(self, pod: PodFacts, node: str, world: World, client: Client) -> None:
        """Give back what `reserve` took; asked in reverse order when a pod is not bound after all."""


class SchedulingError(Exception):
    """A pod cannot be bound where it was to go, in words for its event."""


def overrides(plugin: Plugin | type[Plugin], hook: str) -> bool:
    """Whether a plugin has something to say in a hook."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return getattr(kind, hook) is not getattr(Plugin, hook)


def scaled(raw: Ints, feasible: Bools, *, reverse: bool = False) -> Ints | None:
    """`raw` scores brought to 0-100 by the highest feasible one; None when that is zero.

    `reverse` makes the highest the worst (upstream's DefaultNormalizeScore).
    """
    highest = int(raw[feasible].max(initial=0))
    if highest == 0:
        return np.full(len(raw), TOP_SCORE) if reverse else None
    shares: Ints = raw * TOP_SCORE // highest
    return TOP_SCORE - shares if reverse else shares


def nobody(world: World) -> Bools:
    """A mask without any row."""
    return np.zeros(len(world.nodes), dtype=np.bool_)


def every(world: World) -> slice:
    """All rows."""
    return slice(0, len(world.nodes))
