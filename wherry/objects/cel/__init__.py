"""Kubernetes' CEL: expressions compiled once, evaluated often, bounded in what they may cost.

    lexer, parser     text to a tree of `nodes`
    types, checker    what type each part has, and what cannot be
    planner, loops    the tree as functions that evaluate it (`planned_operators`: its operators)
    library           every function there is, declared with its types and its cost

It is loaded with the first expression: a server that sees none does without its memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.objects.cel.cost import Budget
from wherry.objects.cel.errors import CelCostError, CelError

if TYPE_CHECKING:
    from wherry.objects.cel.expression import Expression

__all__ = ["Budget", "CelCostError", "CelError", "compile_expression"]


def compile_expression(source: str) -> Expression:
    """Compile `source`, which may name any variable. Raises CelError with all mistakes."""
    from wherry.objects.cel.expression import compile_expression as compile_now

    return compile_now(source)
