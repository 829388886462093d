"""What is to happen to objects: `Stage`, and which of several is next.

A stage says which objects it is for, how long after an object came into that state it is played, and in what
steps. Names and meaning are KWOK's (kwok.x-k8s.io/v1alpha1 Stage; pkg/utils/lifecycle).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Protocol, TypeAlias

from wherry.api.resource import Resource
from wherry.objects.meta import Object


class StageFailed(Exception):
    """A stage cannot be played on an object; the message names the stage."""


class StageBlocked(StageFailed):
    """A stage cannot be played just now, but may be later, without the object changing."""


class Surroundings(Protocol):
    """What stages may ask beyond the object they are played on."""

    def now(self) -> datetime: ...

    def started(self) -> datetime:
        """When this simulation began."""
        ...

    def node_ips(self, node_name: str) -> list[str]:
        """The addresses of a node, empty for one that is not known."""
        ...

    def pod_ips(self, node_name: str, uid: str, *, host_network: bool) -> list[str]:
        """The addresses of a pod of that node: those it has already, or new ones."""
        ...

    def node_port(self) -> int:
        """The port kubelets are said to listen on; 0 for none."""
        ...


Making: TypeAlias = Callable[[Object, Surroundings], Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Write a change. `make` gives a dict, or a list for a JSON patch."""

    make: Making
    content_type: str
    subresource: str = ""
    as_user: str = ""
    is_heartbeat: Callable[[Object], bool] | None = None
    """Whether all it would change of the object are the times of a heartbeat; None: never."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Create the object `make` gives, or patch it if it is there already; another than the stage is for.

    `target` is its resource, as far as that can be told beforehand.
    """

    make: Making
    content_type: str
    subresource: str = ""
    as_user: str = ""
    target: Resource | None = None


@dataclass(frozen=True, slots=True)
class Finalizers:
    """Change the finalizers: `empty` drops all, then `add` are added."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object, without grace."""


@dataclass(frozen=True, slots=True)
class Say:
    """Write an event; `message` is a text, or makes one of the object."""

    type: str
    reason: str
    message: str | Callable[[Object], str]

    def text(self, obj: Object) -> str:
        """What is said of that object."""
        return self.message if isinstance(self.message, str) else self.message(obj)


Step: TypeAlias = Patch | Apply | Finalizers | Delete | Say


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds to wait: `least`, or somewhere between it and `most`.

    A `most` that is not above `least` is taken as it is (KWOK).
    """

    least: float = 0.0
    most: float | None = None

    def at(self, fraction: float) -> float:
        """The delay at `fraction` (0 to 1) of the way."""
        if self.most is None:
            return max(self.least, 0.0)
        if self.most <= self.least:
            return max(self.most, 0.0)
        return max(self.least + fraction * (self.most - self.least), 0.0)


def _at_once(_obj: Object, _now: datetime) -> Delay:
    return Delay()


def _weightless(_obj: Object) -> int | None:
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One thing that may happen to objects of `resource`.

    `writes` are the resources and subresources its steps write besides the object and its status. `delay` is
    asked with the moment the stage was chosen. `weight` is None where it cannot be told. After an `immediate`
    stage the next is chosen from the answer, without waiting for the watch.
    """

    name: str
    resource: Resource
    matches: Callable[[Object], bool]
    steps: Callable[[Object], Sequence[Step]]
    delay: Callable[[Object, datetime], Delay] = _at_once
    weight: Callable[[Object], int | None] = _weightless
    immediate: bool = False
    is_ordered: bool = False
    """Of several such stages that match, the one whose time comes first is next."""
    writes: Sequence[tuple[Resource, str]] = ()
    to_the_second: bool = False
    """It is due with the next whole second of the clock, together with others: who watches is woken once."""


def choose(stages: Sequence[Stage], obj: Object, now: datetime, random: Random) -> Stage | None:
    """The stage that is next for `obj`, by weight where several match; None for none."""
    found = [stage for stage in stages if stage.matches(obj)]
    if len(found) < 2:
        return found[0] if found else None
    if all(stage.is_ordered for stage in found):
        return min(found, key=lambda stage: stage.delay(obj, now).least)
    weights = [stage.weight(obj) for stage in found]
    known = [(stage, weight) for stage, weight in zip(found, weights, strict=True) if weight is not None]
    if not known:
        return found[random.randrange(len(found))]
    total = sum(weight for _, weight in known if weight > 0)
    if not total:
        return known[random.randrange(len(known))][0]
    at = random.randrange(total)
    for stage, weight in known:
        at -= max(weight, 0)
        if weight > 0 and at < 0:
            return stage
    return known[-1][0]


def is_still_possible(stage: Stage, obj: Object, others: Sequence[Stage]) -> bool:
    """Whether a stage chosen earlier may still be played on a changed object: then it keeps its time."""
    if stage.is_ordered or not stage.matches(obj):
        return False
    weight = stage.weight(obj)
    if weight:
        return True
    # Without a weight of its own it only holds where no other has one.
    rivals = [other for other in others if other is not stage and other.matches(obj)]
    return not any(other.weight(obj) for other in rivals)


def finalizer_patch(have: Sequence[str], step: Finalizers) -> list[Object]:
    """The JSON patch that brings the finalizers `have` to what the step says; empty for no change."""
    left = [] if step.empty else [name for name in have if name not in step.remove]
    wanted = [*left, *(name for name in step.add if name not in left)]
    if wanted == list(have):
        return []
    path = "/metadata/finalizers"
    if not wanted:
        return [{"op": "remove", "path": path}]
    return [{"op": "replace" if have else "add", "path": path, "value": wanted}]
