"""Answers of other servers, remembered as long as they say, and not longer than `LONGEST_S`: `Remembered`.

Source: RFC 2308 (what is not there is remembered, too); CoreDNS, plugin/cache, for bounds.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from dataclasses import dataclass

from wherry.dns.wire import HEADER, TC, Code, Type, ttl_places
from wherry.kit.clock import Clock

LONGEST_S = 30
SHORTEST_S = 5
LARGEST_BYTES = 4096
"""Larger answers are not kept: whose domain it is would choose what each hit costs."""
MOST_BYTES = 8 * 1024 * 1024
OVERHEAD_BYTES = 400
"""What an entry costs beside its bytes, about."""

Key = tuple[bytes, int]
"""(question in lower case, flags that make another answer: DO and CD)."""


@dataclass(frozen=True, slots=True)
class _Entry:
    message: bytes
    places: tuple[tuple[int, int], ...]
    """(where a TTL is written, that TTL)."""
    since: float
    until: float

    @property
    def size(self) -> int:
        return len(self.message) + OVERHEAD_BYTES


class Remembered:
    """Answers by question; the longest unused go first when there are too many."""

    def __init__(self, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock
        self._most = most_bytes
        self._size = 0
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()

    def get(self, key: Key) -> bytes | None:
        """The answer, its TTLs less what it was kept for; None for one that is not known (any more).

        There are few of them in an answer that is kept (`LARGEST_BYTES`), so that a hit costs little.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        age = int(now - entry.since)
        if not age:
            return entry.message
        message = bytearray(entry.message)
        for place, ttl in entry.places:
            struct.pack_into("!I", message, place, max(0, ttl - age))
        return bytes(message)

    def put(self, key: Key, message: bytes) -> None:
        """Remember an answer, if it may be. Raises Malformed."""
        flags = HEADER.unpack_from(message)[1]
        if len(message) > LARGEST_BYTES:
            return
        if flags & TC or flags & 0xF not in (Code.NOERROR, Code.NXDOMAIN):
            return
        found = list(ttl_places(message))
        lasts = min((_life(message, *each) for each in found), default=SHORTEST_S)
        lasts = min(lasts, LONGEST_S)
        if lasts <= 0:
            return
        now = self._clock.monotonic()
        places = tuple((place, ttl) for _, ttl, place in found)
        entry = _Entry(message, places, now, now + lasts)
        self._drop(key)
        self._entries[key] = entry
        self._size += entry.size
        while self._size > self._most:
            self._drop(next(iter(self._entries)))

    def __len__(self) -> int:
        return len(self._entries)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size


def _life(message: bytes, kind: int, ttl: int, place: int) -> int:
    """How long a record lets its answer be kept: an SOA beside nothing says it twice (RFC 2308, 5)."""
    if kind != Type.SOA:
        return ttl
    length = struct.unpack_from("!H", message, place + 4)[0]
    end = place + 6 + length
    minimum: int = struct.unpack_from("!I", message, end - 4)[0] if length >= 20 else ttl
    return min(ttl, minimum)
