"""What a pod's worker remembers and cannot read anywhere: what is shown of the past, and what rests for now.

All of it may be lost: a new agent shows less of the past and tries sooner.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.kit.clock import Clock
from wherry.kubelet.container_status import Waiting
from wherry.kubelet.pod import status_of
from wherry.objects.meta import Object

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 122.0
EVERYTHING = ""
"""Key of the rest that holds for the whole pod, beside those of single containers."""


@dataclass(slots=True)
class Memory:
    """What is shown of the past.

    `waiting` says why containers do not run, `backing_off` for which of its runs the BackOff event of a
    container was told, `messages` what runs (by container id) left as their termination message, `told` the
    status last told.
    """

    waiting: dict[str, Waiting] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    told: Object | None = None
    _backing_off: dict[str, int] = field(default_factory=dict)

    def is_first_back_off(self, name: str, attempt: int) -> bool:
        """Whether nobody was told yet that the container backs off after this run."""
        is_first = self._backing_off.get(name) != attempt
        self._backing_off[name] = attempt
        return is_first

    def as_told(self, pod: Object) -> Object:
        """The pod with the status last told, which the API server may not show yet."""
        if self.told is None:
            return pod
        shown = status_of(pod)
        conditions = self.told.get("conditions") or ()
        told = {condition["type"] for condition in conditions}
        others = [c for c in shown.get("conditions") or () if c.get("type") not in told]
        status = {**shown, **self.told, "conditions": [*others, *conditions]}
        return {**pod, "status": status}


class Rests:
    """What failed a moment ago and rests, containers or everything; `wake(s)` is told for how long.

    What fails though something has changed since its act began (`begin`) does not rest: it may have gone by
    what was there before.
    """

    def __init__(self, clock: Clock, wake: Callable[[float], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._until: dict[str, float] = {}
        self._failures = 0
        self._has_changed = False

    def begin(self) -> None:
        """An act begins, which goes by what is there now."""
        self._has_changed = False

    def is_resting(self, what: str) -> bool:
        """Whether it is to be left alone; if so, `wake` hears for how long."""
        until = self._until.get(what)
        left_s = 0.0 if until is None else until - self._clock.monotonic()
        if left_s <= 0:
            self._until.pop(what, None)
            return False
        if left_s != math.inf:
            self._wake(left_s)
        return True

    def rest(self, name: str, seconds: float | None) -> None:
        """Leave a container alone for so long, None for until something changes."""
        if self._has_changed:
            self._wake(0.0)
            return
        self._until[name] = self._clock.monotonic() + (math.inf if seconds is None else seconds)

    def failed(self) -> None:
        """What was done for the pod as a whole failed: nothing is begun for a while, longer each time."""
        if self._has_changed:
            self._wake(0.0)
            return
        delay_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures, 10), LONGEST_RETRY_S)
        self._failures += 1
        self._until[EVERYTHING] = self._clock.monotonic() + delay_s
        self._wake(delay_s)

    def succeeded(self) -> None:
        """What was done for the pod as a whole did not fail."""
        self._failures = 0

    def end(self) -> None:
        """Something changed: whatever failed may be tried at once."""
        self._has_changed = True
        self._until.clear()
