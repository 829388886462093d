"""Objects as clients asked to see them: as they are, as a Table, or with nothing but metadata.

`tables` says what that comes to; here it is decided and turned into bytes: JSON, YAML or protobuf.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime
from functools import partial

import orjson

from wherry.api.protobuf import ProtobufError, encode_message, encode_watch_frame, wrap
from wherry.apiserver import tables
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.encoding import decode
from wherry.apiserver.media_types import JSON, PROTOBUF, YAML
from wherry.apiserver.protobuf import error_frame, frame, in_protobuf
from wherry.apiserver.registry import Served
from wherry.apiserver.tables import AS_IS, Form
from wherry.apiserver.threads import WATCHERS
from wherry.apiserver.watcher import Making
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

ANY_OR_JSON = frozenset({"", "*/*", JSON})
PRETTY = frozenset({"1", "t", "T", "true", "True", "TRUE"})
FOR_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
"""How the User-Agents of programs begin that show an answer to somebody."""
WITHOUT_TABLE = frozenset({"binding", "eviction", "token"})
"""Subresources whose objects are questions: there is no table of them, as there is none of reviews."""
IN_PROTOBUF = Form(media_type=PROTOBUF)


def form_of(core: Core, call: Call) -> Form:
    """The form of the answer to `call`. Raises ApiError (406)."""
    info = call.info
    if call.accept in ANY_OR_JSON or not info.is_resource or info.subresource in ("log", "proxy"):
        return AS_IS  # these answer what they have, such as plain text
    served = core.registry.find(info.group, info.version, info.resource)
    if served is None:
        return tables.negotiate(call.accept, has_protobuf=True)
    return tables.negotiate(
        call.accept,
        has_protobuf=served.resource.has_protobuf and served.resource.custom is None,
        has_table="get" in served.verbs and info.subresource not in WITHOUT_TABLE,
    )


def wants_protobuf(core: Core, call: Call) -> bool:
    """Whether the objects themselves are asked for in protobuf."""
    return PROTOBUF in call.accept and form_of(core, call) == IN_PROTOBUF


def error_outcome(error: ApiError, accept: str) -> Outcome:
    """An error's Status, in protobuf if the client prefers that."""
    outcome = Outcome(obj=error.status(), status=error.code)
    if PROTOBUF not in accept:
        return outcome
    try:
        form = tables.negotiate(accept, has_protobuf=True)
    except ApiError:
        return outcome  # the client takes nothing we have; JSON is what it is told so in
    return in_protobuf(outcome) if form.media_type == PROTOBUF else outcome


async def present(core: Core, call: Call, form: Form, outcome: Outcome) -> Outcome:
    """The outcome in the form asked for, made beside the loop if large. Raises ApiError (400, 406)."""
    if outcome.is_formed or outcome.content_type != JSON:
        return outcome
    if form == AS_IS and not is_for_people(call):
        return outcome
    served = core.registry.find(call.info.group, call.info.version, call.info.resource)
    factor = tables.row_factor(served.resource, form) if served is not None else 1
    return await beside(core, call, lambda: _formed(core, call, form, outcome), outcome.known_bytes * factor)


def _formed(core: Core, call: Call, form: Form, outcome: Outcome) -> Outcome:
    if form.kind and call.info.is_resource:
        outcome = _transformed(core, call, form, outcome)
    if form.media_type == PROTOBUF:
        return in_protobuf(outcome)
    if form.media_type == YAML:
        return Outcome(data=as_yaml(outcome.object), status=outcome.status, content_type=YAML)
    return indented(call, outcome)


def indented(call: Call, outcome: Outcome) -> Outcome:
    """The outcome for human eyes, if the client wants that."""
    if outcome.content_type != JSON or not is_for_people(call):
        return outcome
    data = orjson.dumps(outcome.object, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return Outcome(data=data, status=outcome.status, headers=outcome.headers)


def is_for_people(call: Call) -> bool:
    """Whether somebody is to read the answer: the client says so, or is a program that shows it."""
    asked = call.query.get("pretty", "")
    return asked in PRETTY if asked else call.headers.get("user-agent", "").startswith(FOR_PEOPLE)


def _transformed(core: Core, call: Call, form: Form, outcome: Outcome) -> Outcome:
    served = core.registry.find(call.info.group, call.info.version, call.info.resource)
    obj = outcome.object
    if served is None:
        return outcome
    resource = served.resource
    if obj.get("kind") == resource.list_kind and "items" in obj:
        shown = tables.transform_list(
            resource, obj["items"], obj.get("metadata") or {}, form, call.query, core.now()
        )
    elif obj.get("kind") == resource.kind:
        shown = tables.transform_object(resource, obj, form, call.query, core.now())
    else:
        return outcome  # a Status or another kind's object stays what it is
    return Outcome(obj=shown, status=outcome.status, headers=outcome.headers)


def as_yaml(obj: Object | list[Object]) -> bytes:
    """One YAML document."""
    from wherry.kit.yaml_writer import write

    return write(obj)


class PlainLens:
    """Events as they are; their lines are made once for all watchers."""

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Lines of some events."""
        if len(events) == 1:
            return events[0].frame
        return b"".join([event.frame for event in events])

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """Nothing takes long: it is all there."""
        return None

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED lines of objects."""
        return b"".join([b'{"type":"ADDED","object":%s}\n' % item.data for item in items])

    def control(self, event_type: str, obj: Object) -> bytes:
        """The line of a BOOKMARK or ERROR."""
        return orjson.dumps({"type": event_type, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)


Beside = Callable[[Callable[[], Sequence[bytes]]], Awaitable[Sequence[bytes]]]
"""Has a thread make some lines."""


Maker = tuple[Hashable, Callable[[str, bytes], bytes]]
"""What makes an event's line of its type and its object's bytes, and a key that is the same for all who make
the same. It changes nothing, as a thread may call it.
"""


class MadeLens(PlainLens):
    """Events whose lines take long to make, where objects are large: those are made `beside` the loop."""

    def __init__(self, beside: Beside | None, factor: int = 1) -> None:
        self._beside = beside
        self._large = LARGE // factor

    def makings(self, events: Sequence[CachedEvent]) -> Making | None:
        """The lines of large objects that nobody needed before."""
        beside = self._beside
        if beside is None or max([event.object.served_bytes for event in events]) < self._large:
            return None
        missing = [
            (event, key, make)
            for event, (key, make) in zip(events, self._makers(events), strict=True)
            if event.object.served_bytes >= self._large and event.found(key) is None
        ]
        if not missing:
            return None

        async def begin() -> None:
            work = [partial(make, event.type, event.object.data) for event, _, make in missing]
            lines = await beside(lambda: [make() for make in work])
            for (event, key, _), line in zip(missing, lines, strict=True):
                event.keep(key, line)

        return Making(tuple((event, key) for event, key, _ in missing), begin)

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Lines of some events."""
        lines: list[bytes] = []
        for event, (key, make) in zip(events, self._makers(events), strict=True):
            line: bytes | None = event.found(key)
            if line is None:
                line = make(event.type, event.object.data)
                event.keep(key, line)
            lines.append(line)
        return lines[0] if len(lines) == 1 else b"".join(lines)

    def _makers(self, events: Sequence[CachedEvent]) -> Sequence[Maker]:
        raise NotImplementedError


class FormLens(MadeLens):
    """Events in another form or version, made once for all watchers who see them so."""

    def __init__(
        self,
        now: Callable[[], datetime],
        served: Served,
        form: tables.EventForm,
        beside: Beside | None = None,
    ) -> None:
        super().__init__(beside, form.factor)
        self._now = now
        self._served = served
        self._form = form
        self._with_columns: Maker = (type(self), form.key_of(True)), self._made_with
        self._without_columns: Maker = (type(self), form.key_of(False)), self._made_without

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Lines of some events."""
        lines = super().events(events)
        self._form.shown()
        return lines

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED lines of objects."""
        return b"".join([self._added(item) for item in items])

    def control(self, event_type: str, obj: Object) -> bytes:
        """The line of a BOOKMARK or ERROR."""
        return self._encode(event_type, self._form.transform(event_type, obj, self._now()))

    def _makers(self, events: Sequence[CachedEvent]) -> Sequence[Maker]:
        first = self._with_columns if self._form.has_columns else self._without_columns
        return (first,) if len(events) == 1 else [first, *[self._without_columns] * (len(events) - 1)]

    def _made_with(self, event_type: str, data: bytes) -> bytes:
        return self._line(event_type, data, columns=True)

    def _made_without(self, event_type: str, data: bytes) -> bytes:
        return self._line(event_type, data, columns=False)

    def _line(self, event_type: str, data: bytes, columns: bool) -> bytes:
        obj = self._served.read(data)
        return self._encode(event_type, self._form.shown_as(event_type, obj, self._now(), columns))

    def _added(self, item: Cached) -> bytes:
        return self._encode("ADDED", self._form.transform("ADDED", self._served.decode(item), self._now()))

    def _encode(self, event_type: str, obj: Object) -> bytes:
        return orjson.dumps({"type": event_type, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)


class ProtobufFormLens(FormLens):
    """Events in another form or version, in protobuf."""

    def _encode(self, event_type: str, obj: Object) -> bytes:
        return frame(event_type, obj)


class ProtobufLens(MadeLens):
    """Events as they are, in protobuf; their frames are made once for all watchers."""

    def __init__(self, served: Served, beside: Beside | None = None) -> None:
        super().__init__(beside)
        self._api_version, self._kind = served.resource.api_version, served.resource.kind
        self._key = ProtobufLens, self._api_version, self._kind

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED frames of objects."""
        try:
            return b"".join([self._added(item) for item in items])
        except ProtobufError as error:
            return error_frame(error)

    def control(self, event_type: str, obj: Object) -> bytes:
        """The frame of a BOOKMARK or ERROR."""
        return frame(event_type, obj)

    def _makers(self, events: Sequence[CachedEvent]) -> Sequence[Maker]:
        return [(self._key, self._frame)] * len(events)

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Frames of some events; the messages in them are kept beside the objects, for readers."""
        for event in events:
            if event.found(self._key) is None:
                try:
                    frame = self._wrapped(event.type, event.object.message())
                except ProtobufError as error:
                    frame = error_frame(error)
                event.keep(self._key, frame)
        return super().events(events)

    def _frame(self, event_type: str, data: bytes) -> bytes:
        try:
            return self._wrapped(event_type, encode_message(decode(data)))
        except ProtobufError as error:
            return error_frame(error)

    def _added(self, item: Cached) -> bytes:
        return self._wrapped("ADDED", item.message())

    def _wrapped(self, event_type: str, message: bytes) -> bytes:
        return encode_watch_frame(event_type, wrap(message, self._api_version, self._kind))


PLAIN = PlainLens()


def watch_lens(core: Core, call: Call, form: Form, served: Served) -> PlainLens:
    """How one watcher sees events. Raises ApiError (400) for a bad includeObject."""
    beside = partial(core.threads.run, WATCHERS)
    if not form.kind and not served.converts:
        return PLAIN if form.media_type != PROTOBUF else ProtobufLens(served, beside)
    kind = ProtobufFormLens if form.media_type == PROTOBUF else FormLens
    return kind(core.now, served, tables.EventForm(served.resource, form, call.query), beside)
