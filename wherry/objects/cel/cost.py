"""What evaluating costs: `Budget`, spent while an expression runs, so that none runs for long.

A unit is about one operation, texts cost a tenth of their length, and the limits are upstream's
(k8s.io/apiserver/pkg/apis/cel, cel-go's interpreter/runtimecost.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from wherry.objects.cel.errors import CelCostError

COST_LIMIT_OF_A_CALL = 1_000_000
"""What one evaluation of one expression may cost."""
COST_LIMIT_OF_AN_OBJECT = 10_000_000
"""What all rules over one object may cost together."""
COST_LIMIT_OF_MATCH_CONDITIONS = 2_500_000
"""What the match conditions of one webhook or policy may cost together."""

EXCEEDED = "operation cancelled: actual cost limit exceeded"


LONG_EXPRESSION = 512
"""Characters from which on compiling takes a millisecond and more."""
_LOOPS = re.compile(
    r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap|transformMapEntry|sortBy)\s*\("
)


def may_take_long(sources: Iterable[str]) -> bool:
    """Whether compiling or evaluating these may take more than some milliseconds on small objects, too.

    That takes loops in loops, or much text.
    """
    left = 2 * LONG_EXPRESSION
    for source in sources:
        left -= len(source)
        if left < 0 or len(source) > LONG_EXPRESSION or len(_LOOPS.findall(source)) > 1:
            return True
    return False


class Budget:
    """So much may be spent; `spent` tells how much was. May be shared by evaluations one after another."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int = COST_LIMIT_OF_A_CALL) -> None:
        self.limit = limit
        self.spent = 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more was asked for than there was."""
        return self.spent > self.limit

    def spend(self, cost: int) -> None:
        """Count `cost`. Raises CelCostError when it is too much."""
        self.spent += cost
        if self.spent > self.limit:
            raise CelCostError(EXCEEDED)


def size(value: Any) -> int:
    """How many characters, bytes, items or entries; 1 for all else."""
    if isinstance(value, (str, bytes, list, dict)):
        return len(value)
    return 1


def tenth(count: int) -> int:
    """What going through so many characters costs."""
    return -(-count // 10)


def quarter(count: int) -> int:
    """What a pattern of so many characters multiplies the cost of a text with."""
    return -(-count // 4)


def weight(value: Any) -> int:
    """The length of all texts and lists in a value."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return len(value) + sum(map(weight, value.values()))
    if isinstance(value, list):
        return len(value) + sum(map(weight, value))
    return 0
