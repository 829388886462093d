"""How a pod's resize stands, as its conditions PodResizePending and PodResizeInProgress tell.

Source: pkg/kubelet/status, SetPodResizePendingCondition and its siblings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wherry.objects.conditions import Condition

PENDING, PROGRESS = "PodResizePending", "PodResizeInProgress"
TYPES = (PENDING, PROGRESS)
DEFERRED, INFEASIBLE, ERROR = "Deferred", "Infeasible", "Error"


class Told(NamedTuple):
    """What a condition says, of which generation of the pod."""

    reason: str = ""
    message: str = ""
    generation: int = 0


@dataclass(slots=True)
class ResizeStatus:
    """Both conditions; None where one does not hold. `since` says from when on, by type."""

    pending: Told | None
    progress: Told | None
    since: dict[str, str]

    @classmethod
    def read(cls, conditions: Iterable[Mapping[str, Any]]) -> ResizeStatus:
        """As a pod's conditions tell it."""
        found = {c["type"]: c for c in conditions if c.get("type") in TYPES}

        def told(kind: str) -> Told | None:
            c = found.get(kind)
            if c is None:
                return None
            return Told(c.get("reason") or "", c.get("message") or "", c.get("observedGeneration") or 0)

        since = {kind: c.get("lastTransitionTime") or "" for kind, c in found.items()}
        return cls(told(PENDING), told(PROGRESS), since)

    def defer(self, reason: str, message: str, generation: int) -> bool:
        """The resize waits; whether that is news."""
        told = Told(reason, message, generation)
        is_new, self.pending = told != self.pending, told
        return is_new

    def begin(self, generation: int) -> None:
        """The resize was allocated; what went wrong with one before is forgotten."""
        self.pending, self.progress = None, Told(generation=generation)

    def go_on(self, generation: int) -> None:
        """A resize is under way, begun by whomever."""
        if self.progress is None:
            self.progress = Told(generation=generation)

    def fail(self, message: str, generation: int) -> bool:
        """The resize under way met an error; whether that is news."""
        known = self.progress.generation if self.progress is not None else generation
        told = Told(ERROR, message, known)
        is_new, self.progress = told != self.progress, told
        return is_new

    def finish(self) -> int | None:
        """No resize is under way; the generation it was of if one was."""
        told, self.progress = self.progress, None
        return told.generation if told is not None else None

    def conditions(self, now: str) -> list[Condition]:
        """The conditions to show at that moment."""
        result: list[Condition] = []
        for kind, told in ((PENDING, self.pending), (PROGRESS, self.progress)):
            if told is None:
                self.since.pop(kind, None)
                continue
            since = self.since.get(kind) or now
            self.since[kind] = since
            condition: Condition = {"type": kind, "status": "True", "lastTransitionTime": since}
            for name, value in (("reason", told.reason), ("message", told.message)):
                if value:
                    condition[name] = value
            if told.generation:
                condition["observedGeneration"] = told.generation
            result.append(condition)
        return result
