"""What a probe found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How one try of a probe ended; UNKNOWN when the probe itself could not be made."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Outcome and what to tell about it; `reached` says whether anybody answered at all."""

    outcome: Outcome
    output: str = ""
    reached: bool = True

    @property
    def succeeded(self) -> bool:
        """Whether it counts towards the success threshold."""
        return self.outcome in (Outcome.SUCCESS, Outcome.WARNING)
