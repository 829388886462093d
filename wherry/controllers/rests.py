"""How long a key rests after a sync that looked at many objects, so that what happens meanwhile is one sync.

A workload of a thousand pods is not looked at anew for each of them. Small ones never rest: what follows from
an event follows at once.
"""

from __future__ import annotations

from wherry.kit.clock import Clock

REST_FROM = 100
"""Keys with fewer objects never rest."""
LONGEST_REST_S = 1.0


def rest_s(objects: int, per_object_s: float) -> float:
    """Seconds between two syncs of a key that looks at so many objects."""
    return min(objects * per_object_s, LONGEST_REST_S) if objects >= REST_FROM else 0.0


class Rests:
    """Until when keys rest; each object a sync looks at counts `per_object_s` seconds."""

    def __init__(self, clock: Clock, per_object_s: float) -> None:
        self._clock = clock
        self._per_object_s = per_object_s
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: str, objects: int) -> None:
        """The key is being synced, which looks at so many objects; none: it will not come again."""
        self.rest(key, rest_s(objects, self._per_object_s))

    def rest(self, key: str, seconds: float) -> None:
        """The key rests for so long from now on; 0: not at all."""
        if seconds > 0:
            self._until[key] = self._clock.monotonic() + seconds
        else:
            self._until.pop(key, None)

    def left_s(self, key: str) -> float:
        """Seconds the key still rests; 0 or less when it does not."""
        until = self._until.get(key)
        return until - self._clock.monotonic() if until is not None else 0.0
