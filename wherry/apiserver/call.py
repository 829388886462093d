"""One request on its way through the server (`Call`) and what a verb answers (`Outcome`).

Neither knows HTTP: the HTTP front and the in-process transport both make calls and both turn
outcomes into what their client wants, so every rule in between holds for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.media_types import JSON
from wherry.apiserver.registry import Served
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.user import User
from wherry.apiserver.watcher import Making
from wherry.kit.httpd.message import Answer, Request
from wherry.objects.meta import Object

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class BodyRead:
    """What reading a large body came to, done beside the loop: its value, or what refuses it.

    `repeats` are the sentences about keys that stood twice in YAML. Once it `is_taken` the value is
    somebody's, who may change it.
    """

    value: Any = None
    refusal: Exception | None = None
    repeats: Sequence[str] = ()
    is_taken: bool = False


class Call:
    """A request as the verbs see it.

    `body` is what the client sent (bytes over HTTP; an object from the local transport, which must
    not be changed). `headers` has lower-case names. `warnings` collects texts for the client.
    `request` is the HTTP request behind it, None for a local call. `body_read` is the body as it was read
    already, None if it was not. `stored_bytes` says how large the stored object is that a write is about, 0
    while that is not known, `grown_bytes` how much admission added to what was sent.
    `annotations` are notes for the audit log, None while there are none.
    """

    __slots__ = (
        "_encoded",
        "_size",
        "annotations",
        "body",
        "body_read",
        "content_type",
        "grown_bytes",
        "headers",
        "info",
        "query",
        "request",
        "stored_bytes",
        "user",
        "warnings",
    )

    def __init__(
        self,
        info: RequestInfo,
        user: User,
        query: Mapping[str, str],
        body: Any = b"",
        content_type: str = JSON,
        headers: Mapping[str, str] = NO_HEADERS,
        request: Request | None = None,
    ) -> None:
        self.info = info
        self.user = user
        self.query = query
        self.body = body
        self.body_read: BodyRead | None = None
        self.stored_bytes = 0
        self.grown_bytes = 0
        self._encoded: bytes | None = None
        self._size = len(body) if isinstance(body, bytes) else -1
        self.content_type = content_type
        self.headers = headers
        self.request = request
        self.warnings: list[str] = []
        self.annotations: dict[str, str] | None = None

    def annotate(self, key: str, value: str) -> None:
        """Note something for the audit log; the first note of a key stays."""
        if self.annotations is None:
            self.annotations = {}
        self.annotations.setdefault(key, value)

    @property
    def encoded(self) -> bytes:
        """The body as bytes; a local call's in JSON."""
        if isinstance(self.body, bytes):
            return self.body
        if self._encoded is None:
            self._encoded = orjson.dumps(self.body)
        return self._encoded

    @property
    def weight(self) -> int:
        """How many bytes are worked on: what was sent, what is stored already, and what was added."""
        if self._size < 0:
            self._size = 0 if self.body is None else len(self.encoded)
        return self._size + self.stored_bytes + self.grown_bytes

    @property
    def accept(self) -> str:
        """The Accept header, "" when the client takes anything."""
        return self.headers.get("accept", "")

    @property
    def is_dry_run(self) -> bool:
        """Whether everything is to be checked and nothing stored."""
        return bool(self.query.get("dryRun"))


Piece = bytes | Callable[[], bytes]
"""A part of an answer, or what makes it: where that takes long, whoever sends it has a thread do it."""


class Outcome:
    """An answer: its JSON bytes, or the object they would decode to, or both.

    An answer too large to be held as a whole has `pieces` instead, which are its bytes when joined;
    whoever asks for `data` or `object` all the same gets it whole.
    """

    __slots__ = ("_data", "_object", "content_type", "headers", "is_formed", "pieces", "status")

    def __init__(
        self,
        *,
        data: bytes | None = None,
        obj: Object | None = None,
        pieces: Iterable[Piece] | None = None,
        status: int = 200,
        content_type: str = JSON,
        headers: tuple[tuple[str, str], ...] = (),
        is_formed: bool = False,
    ) -> None:
        self.is_formed = is_formed
        """Whether it is in the form the client asked for already."""
        self._data = data
        self._object = obj
        self.pieces = pieces
        self.status = status
        self.content_type = content_type
        self.headers = headers

    @property
    def data(self) -> bytes:
        """The answer's bytes."""
        if self._data is None:
            if self.pieces is None:
                self._data = orjson.dumps(self._object)
            else:
                made = [piece if isinstance(piece, bytes) else piece() for piece in self.pieces]
                self._data = b"".join(made)
            self.pieces = None
        return self._data

    @property
    def known_bytes(self) -> int:
        """How long the answer is, as far as it has been made."""
        return len(self._data or b"")

    @property
    def object(self) -> Object:
        """The answer, decoded; private to the caller."""
        if self._object is None:
            decoded: Object = orjson.loads(self.data)
            self._object = decoded
        return self._object


class EventSink(Protocol):
    """Where a watch puts what happened; one per watching client.

    `bookmark_every_s`: how often it wants to be told how far things are; shortly before the end it is anyway.
    """

    @property
    def bookmark_every_s(self) -> float: ...

    def events(self, events: Sequence[CachedEvent]) -> int | None:
        """Some events, in order. Must not block; a sink too slow gives up by itself. The bytes it wrote."""
        ...

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """What has to be made before it is given these events, if that takes long; see `Watchers`."""
        ...

    def control(self, event_type: str, obj: Object) -> None:
        """A BOOKMARK or ERROR."""
        ...

    async def initial(self, items: Sequence[Cached]) -> None:
        """ADDED for each of `items`, the state a watch begins with; as fast as the client takes it."""
        ...

    def end(self) -> None:
        """The resource is no longer served: the watch is over."""
        ...

    async def wait(self, timeout_s: float) -> bool:
        """Return True when the client is gone (or cut off), False after `timeout_s`."""
        ...


@dataclass(frozen=True, slots=True)
class WatchOutcome:
    """A watch about to begin: `run(sink)` feeds the client's sink and returns at the end."""

    run: Callable[[EventSink], Awaitable[None]]
    served: Served


@dataclass(frozen=True, slots=True)
class RawOutcome:
    """An answer that is HTTP already: proxied, streamed or upgraded."""

    answer: Answer


AnyOutcome = Outcome | WatchOutcome | RawOutcome
Result = AnyOutcome | Coroutine[Any, Any, AnyOutcome]


async def settle(result: Result) -> AnyOutcome:
    """Wait for a result that may not be there yet."""
    return await result if isinstance(result, Coroutine) else result
