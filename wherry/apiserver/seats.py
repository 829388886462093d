"""How many requests are worked on at once: a seat is taken before any work is begun, and given back after it.

Reads and writes are counted apart (upstream's --max-requests-inflight). What the cluster itself lives by has
seats beside everybody's, as upstream's priority levels give it (KEP-1040: `node-high` and `leader-election`,
then `system`, the rest `global-default`): no crowd of clients keeps a node from renewing its lease.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User, is_system
from wherry.objects.errors import too_many_requests

T = TypeVar("T")

MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
LEASES = ("coordination.k8s.io", "leases")
SHARE = 4
"""The system's traffic, and within it the heartbeats, each have a `SHARE`th of the limit on top of it."""
LEAST_SHARE = 8


def seats_beside(user: User, info: RequestInfo, limit: int) -> int:
    """How many seats a request of this user finds beyond the `limit` that holds for everybody."""
    if not is_system(user):
        return 0
    share = max(limit // SHARE, LEAST_SHARE)
    is_heartbeat = (info.group, info.resource) == LEASES or info.full_resource == "nodes/status"
    if is_heartbeat:
        return 2 * share
    return 0 if user.is_master else share  # administrators are many programs, too


class Room:
    """The seats of one kind, reads or writes."""

    def __init__(self, kind: str, limit: int) -> None:
        self.kind = kind
        self.limit = limit
        self.taken = 0
        self.refused = 0

    def take(self, user: User, info: RequestInfo) -> None:
        """Take a seat. Raises ApiError (429) when there is none for this user."""
        if self.taken >= self.limit and self.taken >= self.limit + seats_beside(user, info, self.limit):
            self.refused += 1
            raise too_many_requests("Too many requests, please try again later.")
        self.taken += 1

    def give_back(self) -> None:
        """The request is answered."""
        self.taken -= 1


class Seats:
    """All seats of a server."""

    def __init__(self, reading: int, mutating: int) -> None:
        self.reading = Room("readOnly", reading)
        self.mutating = Room("mutating", mutating)

    def room(self, verb: str) -> Room:
        """Where requests of a verb sit."""
        return self.mutating if verb in MUTATING else self.reading


class Seated(Awaitable[T], Generic[T]):
    """Work that has a seat until it ends, or until it is closed without ever having begun."""

    def __init__(self, work: Coroutine[Any, Any, T], room: Room) -> None:
        self._work = work
        self._room: Room | None = room

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            return (yield from self._work.__await__())
        finally:
            self._leave()

    def close(self) -> None:
        """Nobody will wait for it."""
        self._work.close()
        self._leave()

    def _leave(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.give_back()
