"""Kubernetes' CEL: expressions compiled once, evaluated often, bounded in what they may cost.

The library `common-expression-language` parses and evaluates; `rewrite` puts what it does not know
(optional fields, `cel.bind`, macros of two variables) into what it can; `functions` are the additions.
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
    """Compile `source`. Raises CelError, with the place of the mistake as the parser tells it."""
    from wherry.objects.cel.expression import compile_expression as compile_now

    return compile_now(source)
