"""Who asks a kubelet, and whether they may: by certificate or token, and by what the API server says of them.

Upstream's webhook authentication and authorization (pkg/kubelet/server/auth.go, cmd/kubelet/app/auth.go;
KEP-2862 for the subresources), with its times for remembering what the API server answered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from wherry.api.authentication.token_reviews import TOKEN_REVIEWS
from wherry.api.authorization.subject_access_reviews import SUBJECT_ACCESS_REVIEWS
from wherry.client.api import Client
from wherry.kit.clock import Clock
from wherry.kit.deadline import within
from wherry.kit.remembered import Recent
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

T = TypeVar("T")

MASTERS = "system:masters"
TOKEN_S = 120.0
ALLOWED_S = 300.0
REFUSED_S = 30.0
ANSWER_S = 10.0
"""How long the API server is waited for."""
MOST_AT_ONCE = 8
"""So many questions of a kind are under way: strangers with made-up tokens do not become a flood at the API
server."""
MOST_WAITING = 256
"""So many more of that kind wait, within the time there is for an answer; others are sent away at once."""
_REMEMBERED_B = 1 << 20
_ENTRY_B = 128
_VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OWN = ("stats", "metrics", "checkpoint")
"""Pages with a subresource of their name, which alone counts."""
_FINE = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}
"""Pages with a subresource beside `proxy`; whoever may either sees them."""
_ZPAGES = {"statusz": "statusz", "flagz": "configz"}
_DOORS = ("exec", "attach", "portForward", "run")


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody whose name is known; `extra` as in a UserInfo."""

    user: str
    groups: Sequence[str] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Unanswered(Exception):
    """The API server could not be asked, or did not answer in time."""


class Reviews(Protocol):
    """Who knows tokens and rights. Both methods raise Unanswered."""

    async def who(self, token: str) -> Asker | None:
        """Whose token this is, None for nobody's."""
        ...

    async def may(self, asker: Asker, verb: str, subresource: str) -> bool:
        """Whether they may `verb` the `subresource` of this node."""
        ...


def verb_of(method: str, page: str) -> str:
    """The API's verb for a request of `method`.

    What opens a way into a container is `create` by whatever method (upstream lets a WebSocket's GET do with
    `get`): who may only read a node's pages runs no commands in its pods.
    """
    return "create" if page in _DOORS else _VERBS.get(method, "")


def subresources_of(page: str) -> Sequence[str]:
    """The subresources of a node of which one is enough to be shown `page` (a path's first segment)."""
    if page in _OWN:
        return (page,)
    if page == "logs":
        return ("log",)
    if page in _ZPAGES:
        return (_ZPAGES[page],)
    return (_FINE[page], "proxy") if page in _FINE else ("proxy",)


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token a request was sent with, "" for none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


class ApiReviews:
    """What the API server says, asked as `client` about the node `node_name`; answers are remembered for a

    while.
    """

    def __init__(self, client: Client, node_name: str, clock: Clock) -> None:
        self._client = client
        self._node_name = node_name
        self._clock = clock
        self._tokens: _Answers[Asker] = _Answers(clock)
        self._rights: _Answers[bool] = _Answers(clock)
        # Questions about people who are known do not stand behind those about strangers' tokens.
        self._rooms = {TOKEN_REVIEWS: _Room(), SUBJECT_ACCESS_REVIEWS: _Room()}

    async def who(self, token: str) -> Asker | None:
        """See `Reviews.who`. Only what is a token is remembered."""
        key = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        known = self._tokens.get(key)
        if known is not None:
            return known
        status = await self._ask(TOKEN_REVIEWS, {"token": token})
        if not status.get("authenticated"):
            return None
        user = status.get("user") or {}
        found = Asker(
            user.get("username") or "",
            tuple(user.get("groups") or ()),
            user.get("uid") or "",
            {name: tuple(values) for name, values in (user.get("extra") or {}).items()},
        )
        self._tokens.put(key, found, TOKEN_S)
        return found

    async def may(self, asker: Asker, verb: str, subresource: str) -> bool:
        """See `Reviews.may`."""
        spec: dict[str, Any] = {
            "user": asker.user,
            "groups": list(asker.groups),
            "uid": asker.uid,
            "extra": {name: list(values) for name, values in asker.extra.items()},
            "resourceAttributes": {
                "verb": verb,
                "version": "v1",
                "resource": "nodes",
                "subresource": subresource,
                "name": self._node_name,
            },
        }
        key = hashlib.sha256(repr(spec).encode("utf-8", "surrogateescape")).hexdigest()
        known = self._rights.get(key)
        if known is not None:
            return known
        allowed = bool((await self._ask(SUBJECT_ACCESS_REVIEWS, spec)).get("allowed"))
        self._rights.put(key, allowed, ALLOWED_S if allowed else REFUSED_S)
        return allowed

    async def _ask(self, resource: Any, spec: Mapping[str, Any]) -> Object:
        review = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": dict(spec)}
        try:
            answer = await within(
                ANSWER_S, self._rooms[resource].ask(self._client, resource, review), self._clock
            )
        except (ApiError, OSError) as error:  # TimeoutError among them
            raise Unanswered(str(error)) from error
        found: Object = answer.get("status") or {}
        return found


class _Room:
    """So many questions of one kind under way, and so many that wait."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(MOST_AT_ONCE)
        self._count = 0

    async def ask(self, client: Client, resource: Any, review: Object) -> Object:
        """What the API server says. Raises Unanswered at once where too many wait, ApiError, OSError."""
        if self._count >= MOST_AT_ONCE + MOST_WAITING:
            raise Unanswered(f"too many ask: {MOST_WAITING} wait for the API server already; ask again later")
        self._count += 1
        try:
            async with self._places:
                return await client.create(resource, review)
        finally:
            self._count -= 1


class _Answers(Generic[T]):
    """Answers by key, each for its time, so many bytes of them in all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: Recent[str, tuple[T, float]] = Recent(_REMEMBERED_B)

    def get(self, key: str) -> T | None:
        found = self._known.get(key)
        if found is None:
            return None
        if self._clock.monotonic() >= found[1]:
            self._known.forget(key)
            return None
        return found[0]

    def put(self, key: str, value: T, for_s: float) -> None:
        self._known.put(key, (value, self._clock.monotonic() + for_s), len(key) + len(repr(value)) + _ENTRY_B)
