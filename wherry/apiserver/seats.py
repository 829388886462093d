"""How many requests are worked on at once: a seat is taken before any work is begun, and given back after it.

Reads and writes are counted apart (upstream's --max-requests-inflight). What the cluster itself lives by has
seats beside everybody's, as upstream's priority levels give it (KEP-1040: `node-high` and `leader-election`,
then `system`, the rest `global-default`): no crowd of clients keeps a node from renewing its lease. Who is in
`system:masters` is never refused, and takes nobody's seat: upstream's priority level and flow schema `exempt`
(pkg/apis/flowcontrol/bootstrap).
"""

from __future__ import annotations

from types import TracebackType

from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User, is_system
from wherry.objects.errors import too_many_requests

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
    return 2 * share if is_heartbeat else share


class Seat:
    """A seat that was taken; the end of the block gives it back."""

    __slots__ = ("_is_exempt", "_room")

    def __init__(self, room: Room, *, is_exempt: bool) -> None:
        self._room = room
        self._is_exempt = is_exempt

    def __enter__(self) -> None:
        """The work begins."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_exempt:
            self._room.exempt -= 1
        else:
            self._room.give_back()


class Room:
    """The seats of one kind, reads or writes."""

    def __init__(self, kind: str, limit: int) -> None:
        self.kind = kind
        self.limit = limit
        self.taken = 0
        self.exempt = 0
        """How many requests are worked on that need no seat."""
        self.refused = 0

    @property
    def in_flight(self) -> int:
        """How many requests are worked on."""
        return self.taken + self.exempt

    def seat(self, user: User, info: RequestInfo) -> Seat:
        """A seat for as long as the block lasts. Raises ApiError (429) when there is none for this user."""
        if user.is_master:
            self.exempt += 1
            return Seat(self, is_exempt=True)
        self.take(user, info)
        return Seat(self, is_exempt=False)

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
