"""The protocol every store backend fulfils, and its errors.

The model is etcd's: keys are text (`/registry/pods/default/web-0`), values are opaque bytes, every
successful write takes the next number of one global counter, the revision, and that number is the
object's resourceVersion. Writes are compare-and-swap. Any revision that was not compacted away can
be watched from. One contract suite (`tests/contract/`) holds over all backends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from wherry.store.writes import Write


MOST_VALUE_BYTES = 1536 * 1024
"""How large a value may be: etcd's --max-request-bytes. Its keys do not count here."""

MOST_SENT_BYTES = 2 * 1024 * 1024
"""Values above this are refused in the words of etcd's client, which sends no more at once."""

MARK_BYTES = 1024
"""How much a mark may add to a value that is too large already (see `Store.update`)."""


class StoreError(Exception):
    """Anything a store may raise."""


class KeyExists(StoreError):
    """`create` of a key that is there."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} exists")
        self.key = key


class KeyMissing(StoreError):
    """`update` or `delete` of a key that is not there."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} does not exist")
        self.key = key


class RevisionMismatch(StoreError):
    """A compare-and-swap lost: the key was written since. `current` is what stands there now."""

    def __init__(self, key: str, expected: int, current: Entry) -> None:
        super().__init__(f"key {key!r} is at revision {current.revision}, expected {expected}")
        self.key = key
        self.expected = expected
        self.current = current


class Compacted(StoreError):
    """The revision asked for was compacted away; `oldest` is the oldest that can still be had."""

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(f"revision {revision} was compacted, the oldest kept is {oldest}")
        self.revision = revision
        self.oldest = oldest


class FutureRevision(StoreError):
    """The revision asked for has not been reached yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is ahead of the current one, {current}")
        self.revision = revision
        self.current = current


KEPT_FREE_BYTES = 6 * 1024 * 1024
"""What a store leaves free on its disk: for deletions, and for the log of what is being written."""


class OutOfSpace(StoreError):
    """The quota or the disk is used up but for what is kept for deletions; etcd's words."""

    def __init__(self) -> None:
        super().__init__("etcdserver: mvcc: database space exceeded")


class TooLarge(StoreError):
    """The value is larger than a store takes; etcd's words, or its client's for what that would not send."""

    def __init__(self, size_bytes: int) -> None:
        if size_bytes <= MOST_SENT_BYTES:
            super().__init__("etcdserver: request is too large")
        else:
            super().__init__(
                "rpc error: code = ResourceExhausted desc = "
                f"trying to send message larger than max ({size_bytes} vs. {MOST_SENT_BYTES})"
            )


class StoreClosed(StoreError):
    """The store was closed, or its medium failed for good; nothing more is taken."""


class Entry(NamedTuple):
    """One version of one key.

    `revision` is that of the write that made this version; `created` that of the key's creation.
    """

    key: str
    value: bytes
    revision: int
    created: int


class Event(NamedTuple):
    """One write, as a watcher sees it.

    `entry` is the new version; for a deletion its value is empty and its revision that of the
    deletion. `previous` is the version it replaced, None when the key was created.
    """

    entry: Entry
    previous: Entry | None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing, in key order, all of one `revision`.

    `remaining` counts the keys after this page (None when not counted); 0 means it is the last.
    """

    entries: list[Entry]
    revision: int
    remaining: int


Sink = Callable[[Sequence[Event]], None]
"""Receives committed events in revision order. Called on the event loop; must not block.

One that raises has a gap in what it knows, so its watch ends (see `Store.watch`).
"""


class Subscription(Protocol):
    """A running watch."""

    def close(self) -> None:
        """Deliver nothing more."""
        ...


class Store(Protocol):
    """What a backend offers. All coroutines run on the loop the store was opened on.

    Ordering promise: the events of a write have been handed to every live sink before the writer's
    call returns, so whoever is fed by a subscription never lags behind an acknowledged write.
    Durability promise: when a write returns, it survives kill -9 and power loss (memory excepted).
    """

    @property
    def revision(self) -> int:
        """The revision of the latest committed write (1 on a fresh store)."""
        ...

    @property
    def oldest(self) -> int:
        """The oldest revision that can still be listed and watched from: the last one compacted."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether something was refused for want of space and there was no room since."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The current version of `key`, None when there is none."""
        ...

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Page:
        """Keys that begin with `prefix`, in key order, as of `revision` (0: now).

        At most `limit` entries (0: all), beginning after the key `start_after`.
        Raises Compacted, FutureRevision.
        """
        ...

    async def create(self, key: str, value: bytes, *, ttl_s: int | None = None) -> Entry:
        """Store a new key; it is deleted by itself after `ttl_s` seconds if given.

        Raises KeyExists, TooLarge, OutOfSpace.
        """
        ...

    async def update(
        self,
        key: str,
        value: bytes,
        *,
        expected: int,
        ttl_s: int | None = None,
        is_reserved: bool = False,
        is_mark: bool = False,
    ) -> Entry:
        """Replace the version made at revision `expected`.

        With `is_reserved` it is a step of a deletion and may take what is kept for those. With `is_mark`
        nothing is added but what a server marks with what is to be deleted: that can be done to a value
        that is too large already. Raises KeyMissing, RevisionMismatch, TooLarge, OutOfSpace.
        """
        ...

    async def delete(self, key: str, *, expected: int) -> Entry:
        """Remove the version made at revision `expected`; what was removed, with the deletion's revision.

        Raises KeyMissing, RevisionMismatch.
        """
        ...

    async def watch(
        self, prefix: str, after: int, sink: Sink, *, lost: Callable[[], None] | None = None
    ) -> Subscription:
        """Hand `sink` every event below `prefix` with a revision above `after`, past ones first.

        The past ones are handed over before this returns. A watch that cannot go on without a gap is
        closed, and `lost` called: whoever watched has to read everything anew. Raises Compacted when
        `after` is older than what is kept, FutureRevision when it has not been reached.
        """
        ...

    async def events(self, prefix: str, after: int, upto: int, *, limit_bytes: int) -> Sequence[Event]:
        """The past events below `prefix` with a revision above `after` and up to `upto`, in order.

        Raises Compacted when they are no longer known, or when their values and those they replaced come
        to more than `limit_bytes`; FutureRevision when `upto` has not been reached.
        """
        ...

    async def compact(self, revision: int) -> None:
        """Forget versions that were replaced or deleted at or before `revision`."""
        ...

    async def close(self) -> None:
        """Finish accepted writes, then end. Later calls raise StoreClosed."""
        ...


class TransactingStore(Store, Protocol):
    """A store that also makes several writes one: what an API server keeps its objects in."""

    async def transact(self, writes: Sequence[Write]) -> Sequence[Entry]:
        """Make all of `writes`, in this order and with nobody else's between them, or none.

        Each takes a revision of its own, and the answer says of each what its own call would. Watchers are
        told of all before this returns, and after a crash either all are there or none. Raises what the
        first that cannot be made would raise alone (its `key` says which): KeyExists, KeyMissing,
        RevisionMismatch; or TooLarge, OutOfSpace.
        """
        ...
