"""The guard around each call into a plug-in of an installed package (`guarded`).

Whatever the plug-in raises, and every answer that is not of the form `framework` asks for, is logged once,
counts as that plug-in's failure for the pod it was asked about, and names it there. A plug-in that fails is
never switched off: a filter may keep pods from where they must not run, and upstream does not place a pod
whose filter fails, either.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Coroutine, Hashable, Mapping
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.guests import Told, async_guest, guest, plain, saying
from wherry.objects.errors import ApiError
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import (
    TOP_SCORE,
    Kind,
    Plugin,
    Reach,
    Refusal,
    Rejection,
    SchedulingError,
    overrides,
)
from wherry.scheduler.interned import Bools
from wherry.scheduler.world import World

T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST_REASON = 1024
"""Characters that are kept of a reason: it is part of the pod's condition."""
LONGEST_CALL_S = 60.0
"""So long a `post_filter`, which the whole scheduler waits for, a `pre_bind` or `unreserve` may take."""


def guarded(kind: type[Plugin], name: str) -> type[Plugin]:
    """The plug-in under its name, with answers for what it raises. Raises ValueError for its `weight`."""
    if type(kind.weight) is not int or not 1 <= kind.weight <= 100:
        raise ValueError(f"weight must be a whole number from 1 to 100, not {saying_value(kind.weight)}")
    own: dict[str, Any] = {"name": name, "longest_call_s": LONGEST_CALL_S}
    own |= {hook: _guard(kind, name, hook) for hook in _HOOKS if overrides(kind, hook)}
    own |= {hook: _guard_awaited(kind, name, hook) for hook in _AWAITED if overrides(kind, hook)}
    if overrides(kind, "gate_changes"):
        own |= {"gate_changes": property(_guard(kind, name, "gate_changes"))}
    return type(kind.__name__, (kind,), own)


def check_declared(plugin: Plugin, name: str) -> None:
    """Whether what a made plug-in declares is what the scheduler reckons with. Raises ValueError."""
    wanted: dict[str, tuple[bool, str]] = {
        "name": (plugin.name == name, "be left alone: it is that of the entry point"),
        "changes": (_are_kinds(plugin.changes), "be a set of wherry.scheduler.framework.Kind"),
        "reach": (isinstance(plugin.reach, Reach), "be a wherry.scheduler.framework.Reach"),
        "scales": (isinstance(plugin.scales, bool), "be True or False"),
    }
    for field, (is_right, must) in wanted.items():
        if not is_right:
            raise ValueError(f"{field} must {must}, not {saying_value(getattr(plugin, field))}")


async def in_time(plugin: Plugin, work: Coroutine[Any, Any, T], clock: Clock) -> T:
    """What comes of a hook that is awaited. Raises SchedulingError when an installed one takes too long."""
    if not plugin.longest_call_s:
        return await work
    try:
        return await within(plugin.longest_call_s, work, clock)
    except TimeoutError as error:
        text = f'plugin "{plugin.name}" failed: it {error}'
        log.error("%s", text)
        raise SchedulingError(text) from error


def saying_value(value: Any) -> str:
    """A value a package gave, in a short text."""
    try:
        return plain(repr(value), 64)
    except BaseException:  # noqa: BLE001 - its __repr__ is the package's as well
        return f"a {type(value).__name__}"


def _are_kinds(value: Any) -> bool:
    return isinstance(value, set | frozenset) and all(isinstance(one, Kind) for one in value)


def _guard(kind: type[Plugin], name: str, hook: str) -> Callable[..., Any]:
    own: Any = getattr(kind, hook)
    own = own.fget if isinstance(own, property) else own
    check, answer = _HOOKS.get(hook, _GATE_CHANGES)
    told = Told()

    @wraps(own)
    def asked(self: Plugin, *arguments: Any) -> Any:
        try:
            with guest(hook):
                return check(own(self, *arguments), *arguments)
        except SchedulingError as error:
            raise SchedulingError(plain(str(error), LONGEST_REASON)) from error
        except Exception as error:  # noqa: BLE001 - it may be anything, and is told
            return answer(_failed(told, name, hook, error), *arguments)

    return asked


def _guard_awaited(kind: type[Plugin], name: str, hook: str) -> Callable[..., Any]:
    own: Callable[..., Any] = getattr(kind, hook)
    answer = _AWAITED[hook]
    told = Told()

    @wraps(own)
    async def asked(self: Plugin, *arguments: Any) -> Any:
        try:
            with async_guest(hook):
                work = own(self, *arguments)
                if not inspect.isawaitable(work):
                    raise TypeError(f"{hook} must be an `async def`")
                found = await work
                return _text(found, "what post_filter answers") if hook == "post_filter" and found else ""
        except SchedulingError as error:
            raise SchedulingError(plain(str(error), LONGEST_REASON)) from error
        except Exception as error:  # noqa: BLE001 - it may be anything, and is told
            return answer(_failed(told, name, hook, error))

    return asked


def _failed(told: Told, name: str, hook: str, error: Exception) -> str:
    why = plain(error.message) if isinstance(error, ApiError) else saying(error)
    text = plain(f'plugin "{name}" failed: {why}')
    if told.is_new(text):
        log.error("%s of plugin %s failed: %s", hook, name, why, exc_info=error)
    return text


def _count(world: World, rows: Any) -> int:
    return len(range(*rows.indices(len(world.nodes)))) if isinstance(rows, slice) else len(rows)


def _everywhere(text: str, _state: Any, world: World, rows: Any) -> list[Rejection]:
    return [Rejection(np.ones(_count(world, rows), dtype=np.bool_), text)]


def _refused(text: str, *_: Any) -> Any:
    raise SchedulingError(text)


def _own_answers(_text: str, pod: PodFacts, *_: Any) -> Hashable:
    return pod.uid


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} must be a text, not {saying_value(value)}")
    return plain(value, LONGEST_REASON)


def _mask(value: Any, count: int, what: str) -> Bools:
    if not isinstance(value, np.ndarray) or value.dtype != np.bool_ or value.shape != (count,):
        raise ValueError(f"{what} must be a NumPy array of {count} bools, one for each row asked about")
    return value


def _prepared(answer: Any, *_: Any) -> Any:
    if isinstance(answer, Refusal):
        return Refusal(_text(answer.reason, "the reason of a Refusal"), bool(answer.of_each_node))
    return answer


def _only(answer: Any, _state: Any, world: World) -> Bools | None:
    return None if answer is None else _mask(answer, len(world.nodes), "what only answers")


def _filtered(answer: Any, _state: Any, world: World, rows: Any) -> list[Rejection]:
    count = _count(world, rows)
    found = []
    for one in answer:
        if not isinstance(one, Rejection):
            raise TypeError(f"filter must answer with Rejections, not {saying_value(one)}")
        mask = _mask(one.rows, count, "the rows of a Rejection")
        found.append(Rejection(mask, _text(one.reason, "the reason of a Rejection"), bool(one.resolvable)))
    return found


def _scored(answer: Any, _state: Any, world: World, rows: Any, _feasible: Any) -> Any:
    if answer is None:
        return None
    points = np.asarray(answer)
    is_number = points.dtype.kind in "biuf" and points.shape == (_count(world, rows),)
    if not is_number or not np.isfinite(points).all():
        raise ValueError("score must answer with a number for each row asked about")
    return np.clip(points, 0, TOP_SCORE).astype(np.int64)


def _truth(answer: Any, *_: Any) -> bool:
    return bool(answer)


def _hashable(answer: Any, *_: Any) -> Hashable:
    hash(answer)
    return answer  # type: ignore[no-any-return]


def _gated(answer: Any, *_: Any) -> str:
    return _text(answer, "what gate answers") if answer != "" else ""


def _kinds(answer: Any, *_: Any) -> frozenset[Kind]:
    if not _are_kinds(answer):
        raise ValueError(f"gate_changes must be a set of Kind, not {saying_value(answer)}")
    return frozenset(answer)


def _nothing(_answer: Any, *_: Any) -> None:
    return None


_HOOKS: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "prepare": (_prepared, lambda text, *_: Refusal(text, of_each_node=True)),
    "only": (_only, _always(None)),
    "filter": (_filtered, _everywhere),
    "score": (_scored, _always(None)),
    "moved": (_truth, _always(True)),
    "is_idle": (_truth, _always(False)),
    "signature": (_hashable, _own_answers),
    "waits_as": (_hashable, _own_answers),
    "concerned": (_truth, _always(True)),
    "gate": (_gated, _always("")),
    "version": (_hashable, _always(None)),
    "reserve": (_nothing, _refused),
    "is_held_up": (_truth, _refused),
}
"""By hook: what checks its answer, and what is taken for the answer when it fails; the text says why."""
_GATE_CHANGES = (_kinds, _always(frozenset(Kind)))
_AWAITED: Mapping[str, Callable[[str], Any]] = {
    "post_filter": lambda text: text,
    "pre_bind": _refused,
    "unreserve": _always(None),
}
"""The same of those that are awaited."""
