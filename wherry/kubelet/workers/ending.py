"""Whether a pod is kept up, taken down or done with: a state machine, pure.

A pod ends because the API server has it no more, or marks it as deleted, because the node condemns it, or
because all its containers have done their work. It may take shorter than was said at first, never longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.plan import Plan
from wherry.kubelet.pod import grace_period_s, is_terminal
from wherry.objects.meta import Object, is_deleting

LEAST_GRACE_S = 1
"""Upstream's `minimumGracePeriodInSeconds`."""


class Mode(Enum):
    """What the worker is after: keep the pod up, take it down, or nothing any more."""

    UP = "up"
    DOWN = "down"
    DONE = "done"


class Step(Enum):
    """What is to be done next."""

    NOTHING = "nothing"
    BUILD_UP = "build up"
    TAKE_DOWN = "take down"
    SETTLE = "settle"
    """Have the API server forget the pod, then forget it here."""


@dataclass(slots=True)
class Ending:
    """How far a pod is on its way to its end.

    `verdict` says why the node ends it, `grace_s` with how many seconds the containers were stopped last.
    """

    mode: Mode = Mode.UP
    keeps_status: bool = False
    """It had ended before it came here: what is said of it stands."""
    verdict: Verdict | None = None
    is_rejected: bool = False
    is_removed: bool = False
    """The API server has it no more."""
    is_delete_sent: bool = False
    grace_s: int | None = None

    @classmethod
    def of(cls, pod: Object) -> Ending:
        """Where a pod stands that came to this node just now, or was found here."""
        is_over = is_terminal(pod)
        return cls(Mode.DOWN if is_over or is_deleting(pod) else Mode.UP, keeps_status=is_over)

    def condemn(self, verdict: Verdict, *, rejected: bool = False) -> bool:
        """The node ends the pod; whether it was still up. `begin` comes after."""
        if self.mode is not Mode.UP or self.verdict is not None:
            return False
        self.verdict = verdict
        self.is_rejected = rejected
        return True

    def begin(self, pod: Object) -> bool:
        """The pod is to end; whether what is under way is to be broken off for it.

        That is so when it was still up, and when it has less time now than the stopping under way gives it.
        """
        if self.mode is Mode.UP:
            self.mode = Mode.DOWN
            return True
        is_shorter = self.grace_s is not None and self.stop_grace_s(pod) < self.grace_s
        return self.mode is Mode.DOWN and is_shorter

    def stop_grace_s(self, pod: Object) -> int:
        """How many seconds its containers have to stop."""
        own_s = grace_period_s(pod)
        if self.is_removed:
            return max(LEAST_GRACE_S, min(own_s, self.grace_s or own_s))
        told_s = self.verdict.grace_s if self.verdict is not None else None
        return max(LEAST_GRACE_S, own_s if told_s is None else min(own_s, told_s))

    def stopping(self, pod: Object) -> int:
        """Its containers are being stopped: with how many seconds."""
        self.grace_s = self.stop_grace_s(pod)
        return self.grace_s

    def take(self, plan: Plan | None) -> None:
        """What was planned for a pod that is up: the end, when nothing of it needs to run any more."""
        if self.mode is Mode.UP and plan is not None and plan.finish and not plan.new_sandbox:
            self.mode = Mode.DOWN

    def taken_down(self) -> None:
        """Nothing of it runs or is mounted any more."""
        self.mode = Mode.DONE

    def is_settled(self, pod: Object) -> bool:
        """Whether all that is left is to be told that the API server has the pod no more."""
        return not self.is_removed and (self.is_delete_sent or not is_deleting(pod))

    def step(self, pod: Object, *, has_work: bool) -> Step:
        """What is to be done next; `has_work` tells whether the plan of a pod that is up has something."""
        if self.mode is Mode.UP:
            return Step.BUILD_UP if has_work else Step.NOTHING
        if self.mode is Mode.DOWN:
            return Step.TAKE_DOWN
        return Step.NOTHING if self.is_settled(pod) else Step.SETTLE
