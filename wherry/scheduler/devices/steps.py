"""How much may be looked at for a decision (`Steps`), counted in work, not in time: the same each time.

A step is some two microseconds, five at most. What is learned on the way (a selector's answer for a device, a
node selector's nodes) is remembered by whoever learned it before it is counted, so that the next try gets
further.
"""

from __future__ import annotations

from dataclasses import dataclass

COST_OF_A_STEP = 3
"""So much cost of CEL is a step: the dearest calls take a microsecond and more each unit."""
CHARACTERS_OF_A_STEP = 1
"""So many characters of an expression are compiled in a step."""


class OutOfSteps(Exception):
    """The search was given up."""


@dataclass(slots=True)
class Steps:
    """How much may be looked at yet."""

    left: int
    has_learned: bool = False
    """Whether something was found out that is remembered: another try gets further."""

    def spend(self, count: int = 1) -> None:
        """Raises OutOfSteps."""
        self.left -= count
        if self.left < 0:
            raise OutOfSteps

    def learned(self, count: int) -> None:
        """Count what was found out, and is remembered already. Raises OutOfSteps."""
        self.has_learned = True
        self.spend(count)
