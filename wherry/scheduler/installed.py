"""Scheduler plug-ins of installed packages, by entry points of the group `wherry.scheduler.plugins`.

The name of the entry point is the plug-in's; it leads to a subclass of `Plugin` (mostly of `NodeByNode`),
made with its `pluginConfig` args as keyword arguments. What a plug-in raises, or answers in another form, is
logged once and gives the pods it was asked about a reason that names it; it ends nobody's work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any

import numpy as np

from wherry.kit.entry_points import offered
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.framework import TOP_SCORE, Plugin, Refusal, Rejection, SchedulingError, overrides
from wherry.scheduler.strict import ConfigurationError
from wherry.scheduler.world import World

log = logging.getLogger(__name__)

GROUP = "wherry.scheduler.plugins"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plug-in of a package: its name, what makes it from arguments, and what it has to say."""

    name: str
    kind: type[Plugin]
    weight: int
    filters: bool
    scores: bool

    def make(self, arguments: Mapping[str, Any]) -> Plugin:
        """The plug-in with these arguments. Raises ConfigurationError."""
        try:
            return self.kind(**arguments)
        except Exception as error:  # noqa: BLE001 - it may be anything, and is told
            raise ConfigurationError(f"decoding args for plugin {self.name}: {error}") from None


@lru_cache(1)
def installed_plugins() -> tuple[Installed, ...]:
    """All there are, read once."""
    found = []
    for name, kind in offered(GROUP):
        if not (isinstance(kind, type) and issubclass(kind, Plugin)):
            log.error(
                "%s: %s is no subclass of wherry.scheduler.framework.Plugin, and is left out", GROUP, name
            )
            continue
        own = guarded(kind, name)
        filters, scores = overrides(own, "filter") or overrides(own, "prepare"), overrides(own, "score")
        found.append(Installed(name, own, max(int(kind.weight), 1), filters, scores))
    return tuple(found)


def guarded(kind: type[Plugin], name: str) -> type[Plugin]:
    """The plug-in under its name, with what it raises turned into answers."""
    hooks = {
        hook: _guard(kind, name, hook, answer) for hook, answer in _ANSWERS.items() if overrides(kind, hook)
    }
    return type(kind.__name__, (kind,), {"name": name, **hooks})


def _guard(kind: type[Plugin], name: str, hook: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    own: Callable[..., Any] = getattr(kind, hook)
    check: Callable[..., Any] = _CHECKS.get(hook, _unchecked)
    told: set[str] = set()

    @wraps(own)
    def asked(self: Plugin, *arguments: Any) -> Any:
        try:
            return check(own(self, *arguments), *arguments)
        except SchedulingError:
            raise
        except Exception as error:
            text = f'plugin "{name}" failed: {error!r}'[:LONGEST_TEXT]
            if text not in told and len(told) < MOST_TOLD:
                told.add(text)
                log.exception("%s of plugin %s failed", hook, name)
            return answer(text, *arguments)

    return asked


LONGEST_TEXT = 256
MOST_TOLD = 16
"""So many different failures of a hook are logged."""


def _everywhere(text: str, _state: Any, world: World, rows: Any) -> list[Rejection]:
    return [Rejection(np.ones(_count(world, rows), dtype=np.bool_), text)]


def _count(world: World, rows: Any) -> int:
    return len(range(*rows.indices(len(world.nodes)))) if isinstance(rows, slice) else len(rows)


def _not_reserved(text: str, *_: Any) -> None:
    raise SchedulingError(text)


def _own_answers(_text: str, pod: PodFacts) -> Hashable:
    return pod.uid


_ANSWERS: Mapping[str, Callable[..., Any]] = {
    "prepare": lambda text, *_: Refusal(text, of_each_node=True),
    "only": lambda *_: None,
    "filter": _everywhere,
    "score": lambda *_: None,
    "moved": lambda *_: True,
    "is_idle": lambda *_: False,
    "signature": _own_answers,
    "concerned": lambda *_: True,
    "gate": lambda *_: "",
    "version": lambda *_: None,
    "reserve": _not_reserved,
}
"""What is taken for the answer when a hook fails; the text says why."""


def _unchecked(answer: Any, *_: Any) -> Any:
    return answer


def _checked_filter(answer: Any, _state: Any, world: World, rows: Any) -> list[Rejection]:
    for rejection in answer:
        if np.shape(rejection.rows) != (_count(world, rows),) or not isinstance(rejection.reason, str):
            raise ValueError(
                "filter must answer with Rejections of a mask over the rows asked about, and a text"
            )
    return list(answer)


def _checked_score(answer: Any, _state: Any, world: World, rows: Any, _feasible: Any) -> Any:
    if answer is None:
        return None
    if np.shape(answer) != (_count(world, rows),):
        raise ValueError("score must answer with a number for each row asked about")
    return np.clip(np.asarray(answer, dtype=np.int64), 0, TOP_SCORE)


_CHECKS: Mapping[str, Callable[..., Any]] = {"filter": _checked_filter, "score": _checked_score}
