"""One write, and what it comes to: the compare-and-swap decision every backend shares.

`apply_write` is pure: it sees the write and the key's current version, and gives the event or the
error. Backends differ only in where the version comes from and how the event is made to last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from wherry.store.base import (
    MARK_BYTES,
    MOST_VALUE_BYTES,
    Entry,
    Event,
    KeyExists,
    KeyMissing,
    RevisionMismatch,
    StoreError,
    TooLarge,
)


class Write(NamedTuple):
    """A write that waits to be made.

    `value` None deletes. `expected` is the revision the key must be at, None that it must not
    exist. `expires_at` is the wall-clock time (Unix seconds) at which the key deletes itself.
    `is_reserved` and `is_mark`: see `Store.update`.
    """

    key: str
    value: bytes | None
    expected: int | None
    expires_at: float | None = None
    is_reserved: bool = False
    is_mark: bool = False


def apply_write(write: Write, current: Entry | None, revision: int) -> Event:
    """The event `write` makes at `revision` on a key that is at `current`.

    Raises KeyExists, KeyMissing, RevisionMismatch, TooLarge, or StoreError for a value that is empty.
    """
    if write.expected is None:
        if current is not None:
            raise KeyExists(write.key)
        _check_size(write, None)
        return Event(Entry(write.key, write.value or b"", revision, revision), None)
    if current is None:
        raise KeyMissing(write.key)
    if current.revision != write.expected:
        raise RevisionMismatch(write.key, write.expected, current)
    _check_size(write, current)
    deleted = write.value is None
    return Event(Entry(write.key, write.value or b"", revision, current.created), current, deleted)


def _check_size(write: Write, current: Entry | None) -> None:
    """Refuse values nobody can keep. What is too large already may stay so, shrink, and be marked.

    Every write of every backend comes through here, whoever makes it. Raises StoreError, TooLarge.
    """
    if write.value is None:
        return
    size = len(write.value)
    if not size:
        raise StoreError(f"an empty value cannot be stored at {write.key!r}")  # it would say: deleted
    if size <= MOST_VALUE_BYTES:
        return
    room = 0 if current is None else len(current.value) + (MARK_BYTES if write.is_mark else 0)
    if size > room:
        raise TooLarge(size)


def apply_all(
    writes: Sequence[Write], current: Callable[[str], Entry | None], revision: int
) -> Sequence[Event]:
    """The events of `writes`, each seeing what those before it left, from the one after `revision` on.

    `current` tells what stands at a key. Raises what the first that cannot be made does.
    """
    if len(writes) == 1:
        return (apply_write(writes[0], current(writes[0].key), revision + 1),)
    made: dict[str, Entry | None] = {}
    events: list[Event] = []
    for write in writes:
        key = write.key
        event = apply_write(write, made[key] if key in made else current(key), revision + len(events) + 1)
        made[key] = None if event.deleted else event.entry
        events.append(event)
    return events


def written(event: Event) -> Entry:
    """What the writer is told: the new version, or for a deletion what was removed."""
    if event.deleted and event.previous is not None:
        return Entry(event.entry.key, event.previous.value, event.entry.revision, event.entry.created)
    return event.entry


def size_of(event: Event) -> int:
    """How many bytes of values an event holds: the new one and the one it replaced."""
    previous = event.previous
    return len(event.entry.value) + (0 if previous is None else len(previous.value))
