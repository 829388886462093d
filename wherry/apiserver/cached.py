"""What a cacher holds and tells: `Cached`, one version of one object, and `CachedEvent`, one change.

There is one `Cached` per stored object, so it is small: the served bytes and four more slots that
are not shared; in a large store the bytes are compressed (`packing`). What selectors look at (labels,
selectable fields) is read out of the bytes when the first selector asks, and kept. A `CachedEvent` is
one per write, however many watch; its line on the wire and its decoded object are made once, by the
first who needs them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from sys import intern
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from wherry.api.protobuf import encode_message
from wherry.api.resource import Resource
from wherry.apiserver.encoding import decode, serve, with_revision
from wherry.apiserver.stored import OldForms, StoredForm
from wherry.objects.meta import NO_LABELS, Object, is_deleting, labels_of
from wherry.store.base import Entry

if TYPE_CHECKING:
    from wherry.apiserver.packing import Packer

log = logging.getLogger(__name__)

T = TypeVar("T")

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Match = Callable[["Cached"], bool]

_SHARED_LABELS, _MOST_SHARED_LABELS = 4096, 16
"""How many mappings of labels are shared, and how many labels one may have."""


class Facts:
    """How keys and selectable fields of one resource are read; shared by all its objects."""

    __slots__ = ("_labels", "form", "may_keep", "namespaced", "old_forms", "places", "prefix", "readers")

    def __init__(self, resource: Resource, may_keep: Callable[[Cached, int], bool]) -> None:
        self.may_keep = may_keep
        """Whether so many more bytes may be kept beside an object; they count as held from then on."""
        self.prefix = resource.prefix()
        self.namespaced = resource.namespaced
        self._labels: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self.form = StoredForm(resource)
        self.old_forms = OldForms()
        self.readers: tuple[tuple[str, Callable[[Object], str]], ...] = tuple(
            {**resource.selectable, **resource.also_read}.items()
        )
        self.places = {field: place for place, (field, _) in enumerate(self.readers)}

    def namespace_of(self, key: str) -> str:
        """The namespace a store key lies in, "" for an object of the cluster."""
        if not self.namespaced:
            return ""
        start = len(self.prefix)
        return intern(key[start : key.find("/", start)])

    def shared(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """The same labels, as one mapping for all objects that carry them: replicas do.

        Not if they are many: who writes those writes ever other ones.
        """
        if len(labels) > _MOST_SHARED_LABELS:
            return labels
        items = tuple(labels.items())
        known = self._labels.get(items)
        if known is None:
            if len(self._labels) >= _SHARED_LABELS:
                self._labels.clear()  # those in use stay with their objects
            known = {intern(key): intern(value) for key, value in items}
            self._labels[items] = known
        return known

    def cached(self, entry: Entry) -> Cached:
        """An entry of the store as it is held. Raises ValueError when nobody can read its value."""
        value = self.form.of(entry.value)
        self.old_forms.note(entry.key, entry.revision, is_old=value is not entry.value)
        data = serve(value, entry.revision)
        return Cached(entry.key, data, entry.revision, entry.created, self)


class Cached:
    """One version of one object.

    `data` is its JSON as served, with resourceVersion; `revision` that version as a number;
    `created` the revision of the object's creation. Never changed after it was made.
    """

    __slots__ = (
        "_data",
        "_facts",
        "_labels",
        "_message",
        "_packer",
        "_values",
        "created",
        "key",
        "namespace",
        "revision",
    )

    def __init__(self, key: str, data: bytes, revision: int, created: int, facts: Facts) -> None:
        self.key = key
        self._data = data
        self._packer: Packer | None = None
        self.revision = revision
        self.created = created
        self.namespace = facts.namespace_of(key)
        self._facts = facts
        self._labels: Mapping[str, str] | None = None
        self._values: tuple[str, ...] = ()
        self._message: bytes | None = None

    @property
    def data(self) -> bytes:
        """The object's JSON as served."""
        return self._data if self._packer is None else self._packer.unpack(self._data)

    @property
    def held_bytes(self) -> int:
        """How much of the memory the object itself takes."""
        return len(self._data)

    @property
    def served_bytes(self) -> int:
        """How long `data` is, without making it."""
        return len(self._data) if self._packer is None else self._packer.size(self._data)

    @property
    def plain_bytes(self) -> int:
        """The same, with the message kept beside it, while it is not compressed; else 0."""
        return len(self._data) + len(self._message or b"") if self._packer is None else 0

    def replaced(self) -> None:
        """The object is no longer what is stored: keep of it only what is needed to tell what it was."""
        self._message = None

    def pack(self, packer: Packer) -> None:
        """Hold the bytes compressed from now on, if that makes them smaller."""
        packed = packer.pack(self._data)
        if packed is not None:
            self._data, self._packer = packed, packer

    @property
    def is_read(self) -> bool:
        """Whether what selectors ask was read out of the bytes already."""
        return self._labels is not None

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.key[self.key.rfind("/") + 1 :]

    @property
    def labels(self) -> Mapping[str, str]:
        """metadata.labels, empty when there are none."""
        return self._labels if self._labels is not None else self.read()

    @property
    def fields(self) -> Mapping[str, str]:
        """What field selectors may ask: metadata.name, metadata.namespace, the resource's own."""
        fields = {"metadata.name": self.name, "metadata.namespace": self.namespace}
        if self._facts.readers:
            if self._labels is None:
                self.read()
            for (field, _), value in zip(self._facts.readers, self._values, strict=True):
                fields[field] = value
        return fields

    def value(self, field: str) -> str:
        """The value of one of the resource's own selectable fields. Raises KeyError for any other."""
        if self._labels is None:
            self.read()
        return self._values[self._facts.places[field]]

    def read(self) -> Mapping[str, str]:
        """Read labels and fields out of the bytes, to be kept; the labels."""
        labels: Mapping[str, str] = NO_LABELS
        values = ("",) * len(self._facts.readers)
        try:
            obj = self.decode()
            labels = self._facts.shared(found) if (found := labels_of(obj)) else NO_LABELS
            values = tuple(intern(reader(obj) or "") for _, reader in self._facts.readers)
        except Exception:
            # Written past validation; it must not keep others from being listed and watched by selectors.
            log.exception(
                "the labels and fields of %s at revision %d cannot be read", self.key, self.revision
            )
        self._labels, self._values = labels, values
        return labels

    def decode(self) -> Object:
        """The object, freshly parsed: the caller may change it."""
        return decode(self.data)

    @property
    def is_deleting(self) -> bool:
        """Whether the object is on its way out; most are not, and then the bytes do not hold the word."""
        return b'"deletionTimestamp"' in self.data and is_deleting(self.decode())

    def message(self) -> bytes:
        """The object as a bare protobuf message, made when first asked for. Raises ProtobufError."""
        message = self._message
        if message is None:
            message = encode_message(self.decode())
            self.keep_message(message)
        return message

    @property
    def has_message(self) -> bool:
        """Whether the message was made already."""
        return self._message is not None

    def keep_message(self, message: bytes) -> None:
        """Keep the message, made elsewhere, for others who ask, if there is room for it."""
        if self._packer is None and self._facts.may_keep(self, len(message)):
            self._message = message

    def at(self, revision: int) -> Cached:
        """The same state with another revision in its bytes, as a DELETED event shows it."""
        moved = Cached(self.key, with_revision(self.data, revision), revision, self.created, self._facts)
        moved._labels, moved._values = self._labels, self._values
        return moved

    def __repr__(self) -> str:
        return f"<Cached {self.key} at {self.revision}>"


class CachedEvent:
    """One change of one object.

    `object` is the new state; for DELETED the last one, with the deletion's revision. `previous` is
    the state before, None for a creation.
    """

    __slots__ = (
        "_appeared",
        "_decoded",
        "_frame",
        "_made",
        "_vanished",
        "object",
        "previous",
        "type",
    )

    def __init__(self, type: EventType, object: Cached, previous: Cached | None) -> None:  # noqa: A002 - as on the wire
        self.type: EventType = type
        self.object = object
        self.previous = previous
        self._frame: bytes | None = None
        self._decoded: Object | None = None
        self._made: dict[Hashable, Any] | None = None
        self._appeared: CachedEvent | None = None
        self._vanished: CachedEvent | None = None

    @property
    def frame(self) -> bytes:
        """The line a watch sends: `{"type":"ADDED","object":{...}}` and a newline."""
        frame = self._frame
        if frame is None:
            frame = self._frame = b'{"type":"%b","object":%b}\n' % (self.type.encode(), self.object.data)
        return frame

    @property
    def decoded(self) -> Object:
        """The object decoded; shared by all who ask, so it must not be changed."""
        decoded = self._decoded
        if decoded is None:
            decoded = self._decoded = self.object.decode()
        return decoded

    @property
    def is_decoded(self) -> bool:
        """Whether somebody has decoded the object already."""
        return self._decoded is not None

    def foresee(self, decoded: Object) -> None:
        """This is the object, decoded."""
        self._decoded = decoded

    def made(self, key: Hashable, make: Callable[[CachedEvent], T]) -> T:
        """What `make` makes of the event, once for all watchers who name the same `key` (form, version)."""
        if self._made is None:
            self._made = {}
        try:
            found: T = self._made[key]
        except KeyError:
            found = self._made[key] = make(self)
        return found

    def found(self, key: Hashable) -> Any:
        """What was made for `key`, None if nothing was."""
        return None if self._made is None else self._made.get(key)

    def keep(self, key: Hashable, made: object) -> None:
        """Keep for all watchers what was made elsewhere."""
        if self._made is None:
            self._made = {}
        self._made[key] = made

    def forget(self) -> None:
        """Let go of what was made for watchers: all have it now, and who resumes later has it made again."""
        self._frame = self._decoded = self._made = None
        self._appeared = self._vanished = None

    def seen_through(self, match: Match) -> CachedEvent | None:
        """The event as a watcher sees it who only knows objects that match; None when it sees nothing.

        An object that comes to match is ADDED. One that ceases to is DELETED, shown in its last
        matching state with the revision of the change, as upstream does.
        """
        before = self.previous is not None and match(self.previous)
        if self.type == "DELETED":
            return self if before else None
        if match(self.object):
            if before or self.type == "ADDED":
                return self
            if self._appeared is None:
                self._appeared = CachedEvent("ADDED", self.object, self.previous)
            return self._appeared
        if not before or self.previous is None:
            return None
        if self._vanished is None:
            state = self.previous.at(self.object.revision)
            self._vanished = CachedEvent("DELETED", state, self.previous)
        return self._vanished

    def __repr__(self) -> str:
        return f"<{self.type} {self.object.key} at {self.object.revision}>"
