"""Which events are one event: the decisions of the recorder, without any I/O.

Three steps, as upstream's correlator takes them. A source that says too much about one object is
silenced (a token bucket: a burst of 25, then one every five minutes). Many different messages with
one reason about one object become a single combined event. What then equals an event written
before is that event again, with a higher count.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from wherry.objects.meta import Object

V = TypeVar("V")

REMEMBERED = 4096
SPAM_BURST = 25
SPAM_INTERVAL_S = 300.0
SIMILAR_LIMIT = 10
SIMILAR_WINDOW_S = 600.0
COMBINED = "(combined from similar events): "


class Recent(Generic[V]):
    """A map that forgets what was used longest ago."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._entries: OrderedDict[tuple[str, ...], V] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> V | None:
        """The value, which now counts as used."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def set(self, key: tuple[str, ...], value: V) -> None:
        """Remember a value, dropping the one used longest ago when there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def forget(self, key: tuple[str, ...]) -> None:
        """Remember it no longer."""
        self._entries.pop(key, None)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class _Similar:
    at: float
    messages: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What to write: the event `message` under `key`, for the `count`-th time.

    `name` is the event object to patch, "" to create one.
    """

    key: tuple[str, ...]
    message: str
    count: int
    name: str


def subject_of(event: Object) -> tuple[str, ...]:
    """Who speaks about what: source and object, without type, reason and message."""
    source, about = event["source"], event["involvedObject"]
    return (
        source.get("component", ""),
        source.get("host", ""),
        *(about.get(name, "") for name in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
    )


class Correlator:
    """Remembers what was said lately."""

    def __init__(self) -> None:
        self._buckets: Recent[_Bucket] = Recent()
        self._similar: Recent[_Similar] = Recent()
        self._written: Recent[tuple[str, int]] = Recent()

    def occur(self, event: Object, now: float) -> Occurrence | None:
        """What to write for `event` at `now` (monotonic seconds), None when it is one too many."""
        subject = subject_of(event)
        if not self._may_speak(subject, now):
            return None
        kind = (*subject, event["type"], event["reason"])
        message: str = event["message"]
        if self._is_one_of_many(kind, message, now):
            key, message = (*kind, COMBINED), COMBINED + message
        else:
            key = (*kind, message)
        name, count = self._written.get(key) or ("", 0)
        return Occurrence(key, message, count + 1, name)

    def written(self, occurrence: Occurrence, name: str) -> None:
        """The occurrence stands in the event object `name`."""
        self._written.set(occurrence.key, (name, occurrence.count))

    def _may_speak(self, subject: tuple[str, ...], now: float) -> bool:
        bucket = self._buckets.get(subject)
        if bucket is None:
            bucket = _Bucket(SPAM_BURST, now)
            self._buckets.set(subject, bucket)
        bucket.tokens = min(bucket.tokens + (now - bucket.at) / SPAM_INTERVAL_S, SPAM_BURST)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _is_one_of_many(self, kind: tuple[str, ...], message: str, now: float) -> bool:
        similar = self._similar.get(kind)
        if similar is None or now - similar.at > SIMILAR_WINDOW_S:
            similar = _Similar(now)
            self._similar.set(kind, similar)
        similar.at = now
        if len(similar.messages) < SIMILAR_LIMIT or message in similar.messages:
            similar.messages.add(message)
        return len(similar.messages) >= SIMILAR_LIMIT
