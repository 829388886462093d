"""What was worked out last, for decisions and, apart from that, for what-ifs: `Recent`.

Whoever may ask where a pod would go could else have all that the scheduler remembers forgotten, by asking for
many pods that are all different; each decision would then begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, those used last: `most` of decisions, and beside them `most_tried` of what-ifs.

    `dropped` is told of each value that goes for another, or by `clear`.
    """

    def __init__(self, most: int, most_tried: int, dropped: Callable[[V], object] | None = None) -> None:
        self._own: dict[K, V] = {}
        self._tried: dict[K, V] = {}
        self._most, self._most_tried = most, most_tried
        self._dropped = dropped

    def __len__(self) -> int:
        return len(self._own) + len(self._tried)

    def of(self, key: K, make: Callable[[], V], *, is_trying: bool) -> V:
        """The value of `key`, made if it is not there; who only tries something out moves nothing else."""
        if is_trying:
            if key in self._own:
                return self._own[key]
            return self._used(self._tried, self._most_tried, key, make)
        if key in self._tried:
            known = self._tried.pop(key)
            return self._used(self._own, self._most, key, lambda: known)
        return self._used(self._own, self._most, key, make)

    def clear(self) -> None:
        """Forget all."""
        for table in (self._own, self._tried):
            while table:
                self._drop_oldest(table)

    def values(self) -> Iterator[V]:
        """All values."""
        yield from self._own.values()
        yield from self._tried.values()

    def _used(self, table: dict[K, V], most: int, key: K, make: Callable[[], V]) -> V:
        if key in table:
            value = table.pop(key)
        else:
            value = make()
            while len(table) >= most:
                self._drop_oldest(table)
        table[key] = value  # now the one used last
        return value

    def _drop_oldest(self, table: dict[K, V]) -> None:
        value = table.pop(next(iter(table)))
        if self._dropped is not None:
            self._dropped(value)
