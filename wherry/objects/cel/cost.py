"""What evaluating may cost, estimated from above: loops in loops over the size of what is looked at."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from wherry.objects.cel.tokens import TokenError, closing, tokens_of

LOOPS = frozenset(
    {"all", "exists", "exists_one", "existsOne", "map", "filter", "transformList", "transformMap"}
)


@lru_cache(4096)
def nesting(source: str) -> int:
    """How deep loops stand in one another; 0 without any, and for what is no CEL."""
    try:
        tokens = [token for token in tokens_of(source) if token.kind != "space"]
        ends: list[int] = []
        deepest = 0
        for index, token in enumerate(tokens):
            ends = [end for end in ends if end > index]
            follows = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if token.kind == "name" and token.text in LOOPS and follows == "(":
                ends.append(closing(tokens, index + 1))
                deepest = max(deepest, len(ends))
    except TokenError:
        return 0
    return deepest


def size(value: Any) -> int:
    """How many values there are in `value`, itself included."""
    if isinstance(value, dict):
        return 1 + sum(size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(size(item) for item in value)
    return 1
