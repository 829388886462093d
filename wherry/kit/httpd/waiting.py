"""What waits to be taken by the peers of a server: `WaitingBudget` for all together and for each identity.

Whatever is written to a connection faster than its peer takes it waits here, in memory: answers, lists,
events, streams. One peer alone is bounded by whoever writes; many are bounded by this. Past the bound those
furthest behind are cut off, of the identity that lets most wait: no crowd costs others their connections.
Only connections that lag are known, so writing to one that does not costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from heapq import heapify, heapreplace
from typing import Protocol

log = logging.getLogger(__name__)

TOGETHER_BYTES = 256 * 1024 * 1024
IDENTITY_BYTES = 64 * 1024 * 1024
RELIEF = 0.75
"""What remains, of a bound that was passed, once some were cut off."""
PIECE_BYTES = 4 * 1024 * 1024
SMALL_PIECE_BYTES = 64 * 1024
MUCH, SHARES = 0.5, 8
"""What is sent in pieces fills this part of a bound at most, for each takes a share of the room that is left:
so pieces are large, and cost little, while few ask at once. Past it transports are given little at a time."""
IN_TRANSPORTS, TRANSPORT_BYTES = 0.25, 448 * 1024
"""So are they where so many lag that transports alone would fill this part: of one TLS may hold so much."""

REPORT_S = 1.0
"""How often it is logged who was cut off."""
REPORTED = 10
"""So many identities at once by name."""


class Holder(Protocol):
    """A connection for whose peer bytes wait."""

    @property
    def identity(self) -> str:
        """Who the peer is, "" for a stranger."""
        ...

    @property
    def waiting(self) -> int:
        """How many bytes wait now, and are held for waiting."""
        ...

    def give_up(self) -> None:
        """Let go of what waits, and end the connection soon."""
        ...


class _Account:
    """The connections of one identity that lag."""

    __slots__ = ("holders", "identity", "total")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.holders: dict[Holder, int] = {}
        self.total = 0


class WaitingBudget:
    """Bounds, in bytes, for all peers of a server together and for each identity among them."""

    def __init__(self, limit_bytes: int = TOGETHER_BYTES, identity_bytes: int = IDENTITY_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.identity_bytes = identity_bytes
        self.total = 0
        """Bytes that wait for those that lag, as of when they were last written to."""
        self.cut_off = 0
        """How many connections were cut off so far."""
        self._unreported: Counter[str] = Counter()
        self._accounts: dict[str, _Account] = {}
        self._account_of: dict[Holder, _Account] = {}

    def note(self, holder: Holder, waiting: int) -> None:
        """This much waits for the peer of a connection that lags."""
        account = self._account_of.get(holder)
        if account is None:
            account = self._accounts.setdefault(holder.identity, _Account(holder.identity))
            self._account_of[holder] = account
        self._count(account, holder, waiting)
        if account.total > self.identity_bytes:
            self._relieve([account], self.identity_bytes)
        if self.total > self.limit_bytes:
            self._relieve(list(self._accounts.values()), self.limit_bytes)

    def forget(self, holder: Holder) -> None:
        """The peer has caught up, or is gone."""
        account = self._account_of.pop(holder, None)
        if account is None:
            return
        size = account.holders.pop(holder)
        account.total -= size
        self.total -= size
        if not account.holders:
            del self._accounts[account.identity]

    def piece_bytes(self, identity: str) -> int:
        """How much of a long answer is made and written at once: little, where much waits already.

        So those who all ask at once, and had no time to take anything yet, stay below the bounds.
        """
        account = self._accounts.get(identity)
        room = min(
            self.limit_bytes * MUCH - self.total,
            self.identity_bytes * MUCH - (0 if account is None else account.total),
        )
        return max(SMALL_PIECE_BYTES, min(PIECE_BYTES, int(room) // SHARES))

    def is_much(self, identity: str) -> bool:
        """Whether so much waits, for this identity or all together, that none holds more than it must."""
        account = self._accounts.get(identity)
        return _is_much(self.total, len(self._account_of), self.limit_bytes) or (
            account is not None and _is_much(account.total, len(account.holders), self.identity_bytes)
        )

    def _count(self, account: _Account, holder: Holder, waiting: int) -> None:
        change = waiting - account.holders.get(holder, 0)
        account.holders[holder] = waiting
        account.total += change
        self.total += change

    def _relieve(self, accounts: list[_Account], limit: int) -> None:
        """Look what really waits, and cut off those furthest behind until there is room again."""
        for account in accounts:
            for holder in account.holders:
                self._count(account, holder, holder.waiting)
        total = sum(account.total for account in accounts)
        if total <= limit:
            return
        furthest_last = [sorted(one.holders, key=one.holders.__getitem__) for one in accounts]
        heaviest = [(-account.total, place) for place, account in enumerate(accounts)]
        heapify(heaviest)
        while total > limit * RELIEF:
            place = heaviest[0][1]
            account, holder = accounts[place], furthest_last[place].pop()
            total -= account.holders[holder]
            self.forget(holder)
            heapreplace(heaviest, (-account.total, place))
            self.cut_off += 1
            self._tell_of(account.identity)
            holder.give_up()

    def _tell_of(self, identity: str) -> None:
        """Log how many were cut off, a line for each identity: who is sent the same lags at the same time."""
        if not self._unreported:
            asyncio.get_running_loop().call_later(REPORT_S, self._report)
        self._unreported[identity] += 1

    def _report(self) -> None:
        ended, self._unreported = self._unreported, Counter()
        for identity, count in ended.most_common(REPORTED):
            who = identity or "strangers"
            log.info("%d connections of %s were cut off: what they are sent is not taken", count, who)
        if len(ended) > REPORTED:
            log.info("so were connections of %d others", len(ended) - REPORTED)


def _is_much(waiting: int, holders: int, limit_bytes: int) -> bool:
    return waiting > limit_bytes * MUCH or holders * TRANSPORT_BYTES > limit_bytes * IN_TRANSPORTS
