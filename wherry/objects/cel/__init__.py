"""CEL, the expression language of validation rules, with the functions Kubernetes adds to it.

The library `common-expression-language` parses and evaluates; `rewrite` puts what it cannot parse
(optional fields, `cel.bind`, macros of two variables) into what it can; `functions` are the additions.
"""

from wherry.objects.cel.cost import Budget
from wherry.objects.cel.expression import CelCostError, CelError, Expression, compile_expression

__all__ = ["Budget", "CelCostError", "CelError", "Expression", "compile_expression"]
