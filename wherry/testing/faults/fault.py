"""One fault, as data: whom it meets, when, and what happens then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from wherry.apiserver.call import Call
from wherry.objects.errors import (
    ApiError,
    already_exists,
    conflict,
    expired,
    forbidden,
    internal,
    server_timeout,
    service_unavailable,
    too_many_requests,
)

WRITES = ("create", "update", "patch", "delete", "deletecollection")
VERBS = ("get", "list", "watch", *WRITES)
REFUSALS = (403, 409, 410, 429, 500, 503, 504)


class What(Enum):
    """What happens to a call that is met."""

    REFUSED = "refused"
    """It is answered with an error, and nothing is done."""
    UNANSWERED = "unanswered"
    """It is done, and answered with a time-out: the client cannot know."""
    DROPPED = "dropped"
    """The connection is closed, and nothing is done."""
    CRASHED = "crashed"
    """It is done; its client is gone from then on, until it is started anew."""
    STALE = "stale"
    """A watch lags: events are held back."""
    CUT = "cut"
    """A watch ends after some events."""
    EXPIRED = "expired"
    """A watch is told after some events that its history is forgotten (410), and ends."""
    REPEATED = "repeated"
    """A watch says each event twice."""
    RESTARTED = "restarted"
    """It is done; the API server starts anew, with no history left, before it can be answered."""
    NODE_LOST = "node lost"
    """It is done; the simulated node of its pod stops for a while, or until it is recovered."""


OF_WATCHES = frozenset({What.STALE, What.CUT, What.EXPIRED, What.REPEATED})
"""What happens to watches while they run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault meets the `nth` call that fits, and the `times` - 1 after it (0: all of them).

    `verbs` and `resource` ("pods", "pods/status"; "" for any) say which calls fit; `user` is a pattern for
    the user's name or the User-Agent (never the one who is `spared`), `name` one for the object's. `code` is
    of a refusal; `events` counts what a watch holds back (0: all, until released) or says before it is cut or
    expires; `lasts_s` for how many seconds a node is lost (0: until the faults are over), or a watch at most
    behind (0: until it is released).

    Watches that run when the fault is armed fit first, in the order they began, as far as it is one of
    watches that run (`OF_WATCHES`).
    """

    what: What
    verbs: tuple[str, ...] = ()
    resource: str = ""
    user: str = "*"
    spared: str = ""
    name: str = "*"
    nth: int = 1
    times: int = 1
    code: int = 500
    events: int = 0
    lasts_s: float = 0.0

    def __post_init__(self) -> None:
        if self.nth < 1 or self.times < 0 or self.events < 0 or self.lasts_s < 0:
            raise ValueError("nth counts from 1, times, events and seconds from 0")
        for verb in self.verbs:
            if verb not in VERBS:
                raise ValueError(f"verbs: {verb!r} is none of {', '.join(VERBS)}")
        if self.what is What.REFUSED and self.code not in REFUSALS:
            known = ", ".join(map(str, REFUSALS))
            raise ValueError(f"code {self.code!r} is no refusal that can be asked for; use one of {known}")

    def fits(self, call: Call) -> bool:
        """Whether the call is one of those that are counted."""
        info = call.info
        return (
            info.is_resource
            and (not self.verbs or info.verb in self.verbs)
            and (not self.resource or self.resource in (info.resource, info.full_resource))
            and call.user.name != self.spared
            and fnmatchcase(info.name, self.name)
            and (fnmatchcase(call.user.name, self.user) or fnmatchcase(_agent(call.headers), self.user))
        )

    def meets(self, count: int) -> bool:
        """Whether it meets the `count`th call that fits."""
        return count >= self.nth and (self.times == 0 or count < self.nth + self.times)

    @property
    def kind(self) -> str:
        """What happens, in a word or two."""
        return f"refused with {self.code}" if self.what is What.REFUSED else self.what.value

    def __str__(self) -> str:
        how = ""
        if self.what is What.STALE:
            how = f" by {self.events or 'all'} events"
            if self.lasts_s:
                how += f", at most {self.lasts_s:g} s"
        elif self.what in (What.CUT, What.EXPIRED):
            how = f" after {self.events} events"
        which = f"{'/'.join(self.verbs) or 'call'} of {self.resource or 'anything'}"
        return f"{self.kind}{how}: {which} no. {self.nth} by {self.user}"


def refusal(code: int, call: Call) -> ApiError:
    """The error of that code, in the words a client would see it in."""
    info = call.info
    if code == 409:
        if info.verb == "create":
            return already_exists(info.resource, info.group, info.name or "made-meanwhile")
        return conflict(info.resource, info.group, info.name)
    if code == 410:
        return expired("too old resource version: 1 (2)")
    if code == 403:
        return forbidden(info.resource, info.group, info.name, "a fault of the test's plan")
    makers: Mapping[int, ApiError] = {
        429: too_many_requests("Too many requests, please try again later."),
        503: service_unavailable("the server is currently unable to handle the request"),
        504: server_timeout("the request did not complete within the time it had", 0),
    }
    return makers.get(code) or internal("a fault of the test's plan")


def _agent(headers: Mapping[str, str]) -> str:
    return headers.get("user-agent", "")
