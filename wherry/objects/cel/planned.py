"""What planning makes of a part of an expression: `Planned`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Frame = list[Any]
"""What an evaluation works on: the budget, the functions it alone has, and the values of all names."""
BUDGET, FUNCTIONS, FIRST = 0, 1, 2
"""Where in the frame the budget, the functions and the first name are."""
Step = Callable[[Frame], Any]


class Planned(NamedTuple):
    """What evaluates a part of the tree, and what it costs at least."""

    run: Step
    cost: int
