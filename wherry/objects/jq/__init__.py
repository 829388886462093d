"""The part of jq that selects: paths, `select`, comparisons, and a few functions of values.

Expressions such as `.status.conditions.[] | select( .type == "Ready" ) | .status` or
`.metadata.annotations["example.com/delay"] // "1s"`. What jq has beyond (assignments, reductions, variables,
definitions) is a `JqError` when the expression is compiled, naming the word. An expression that does not
fit a value finds nothing in it, as with gojq in KWOK.

Source: the jq manual. The binding on PyPI (`jq`) has all of jq, but is given and gives JSON text, which
costs more than these expressions do.
"""

from __future__ import annotations

from wherry.objects.jq.parser import Jq, JqError, compile_jq

__all__ = ["Jq", "JqError", "compile_jq"]
