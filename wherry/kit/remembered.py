"""Remember what was answered for short texts: `remembered`, an `lru_cache` that is bounded in bytes too.

A cache that counts entries only holds whatever strangers send, megabytes each. What is longer than
`LONGEST` characters comes by once, and is worked out each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

LONGEST = 512


def _of_one(call: Callable[..., R], look_up: Callable[..., R]) -> Callable[..., R]:
    @wraps(call)
    def answer(value: Any) -> R:
        return call(value) if type(value) is str and len(value) > LONGEST else look_up(value)

    return answer


def remembered(entries: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember the last `entries` answers of a pure function of positional, hashable arguments."""

    def decorate(call: Callable[P, R]) -> Callable[P, R]:
        look_up = lru_cache(entries)(call)
        if len(signature(call).parameters) == 1:  # most of them, and asked most often
            return _of_one(call, look_up)

        @wraps(call)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            for arg in args:
                if type(arg) is str and len(arg) > LONGEST:
                    return call(*args, **kwargs)
            return look_up(*args, **kwargs)  # type: ignore[arg-type]  # hashable, as the docstring asks

        return answer

    return decorate
