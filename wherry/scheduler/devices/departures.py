"""Which objects went while writes were under way (`Departures`): an answer that comes after the news of its
object's end must not bring it back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


class Departures:
    """Uids, each remembered until the last write is over that was under way when its object went."""

    def __init__(self) -> None:
        self._numbers = count()
        self._writes: OrderedDict[int, None] = OrderedDict()
        """By when they began."""
        self._gone: OrderedDict[str, int] = OrderedDict()
        """By when it was."""

    def __contains__(self, uid: str) -> bool:
        return uid in self._gone

    def __len__(self) -> int:
        return len(self._gone)

    def note(self, uid: str) -> None:
        """An object is gone."""
        if self._writes:
            self._gone.setdefault(uid, next(self._numbers))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write, and take over the answer, within this."""
        began = next(self._numbers)
        self._writes[began] = None
        try:
            yield
        finally:
            del self._writes[began]
            oldest = next(iter(self._writes), None)
            while self._gone and (oldest is None or next(iter(self._gone.values())) < oldest):
                self._gone.popitem(last=False)
