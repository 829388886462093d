"""Remember what was answered for short texts: `remembered`, an `lru_cache` that is bounded in bytes too.

A cache that counts entries only holds whatever strangers send, megabytes each. What is longer than
`LONGEST` characters comes by once, and is worked out each time. What has keys of its own is kept in `Recent`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
K = TypeVar("K")
V = TypeVar("V")

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


class Recent(Generic[K, V]):
    """Values by key, `limit_b` bytes of them by their keepers' count: the oldest go for new ones."""

    def __init__(self, limit_b: int) -> None:
        self._limit_b = limit_b
        self._values: dict[K, tuple[V, int]] = {}
        self.bytes = 0

    def get(self, key: K) -> V | None:
        """The value of `key`, None for one that is not remembered."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, size_b: int) -> None:
        """Remember `value`, which has `size_b` bytes; one larger than all there is room for is not."""
        self.forget(key)
        if size_b > self._limit_b:
            return
        self._values[key] = (value, size_b)
        self.bytes += size_b
        while self.bytes > self._limit_b:
            self.forget(next(iter(self._values)))

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Remember nothing."""
        self._values.clear()
        self.bytes = 0

    def forget(self, key: K) -> None:
        """Remember `key` no more."""
        found = self._values.pop(key, None)
        if found is not None:
            self.bytes -= found[1]
