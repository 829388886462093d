"""Objects as clients asked to see them: as they are, as a Table, or with nothing but metadata.

`tables` says what that comes to; here it is decided and turned into bytes: JSON, YAML or protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import orjson

from wherry.api.protobuf import ProtobufError, encode_watch_frame, wrap
from wherry.apiserver import tables
from wherry.apiserver.beside import beside
from wherry.apiserver.cacher import Cached, CachedEvent
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.media_types import JSON, PROTOBUF, YAML
from wherry.apiserver.protobuf import error_frame, frame, in_protobuf
from wherry.apiserver.registry import Served
from wherry.apiserver.tables import AS_IS, Form
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
    return await beside(core, call, lambda: _formed(core, call, form, outcome), outcome.known_bytes)


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

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED lines of objects."""
        return b"".join([b'{"type":"ADDED","object":%s}\n' % item.data for item in items])

    def control(self, event_type: str, obj: Object) -> bytes:
        """The line of a BOOKMARK or ERROR."""
        return orjson.dumps({"type": event_type, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)


class FormLens(PlainLens):
    """Events in another form or version, made once for all watchers who see them so."""

    def __init__(self, now: Callable[[], datetime], served: Served, form: tables.EventForm) -> None:
        self._now = now
        self._served = served
        self._form = form

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Lines of some events."""
        return b"".join([self._shared_line(event) for event in events])

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED lines of objects."""
        return b"".join([self._line("ADDED", item) for item in items])

    def control(self, event_type: str, obj: Object) -> bytes:
        """The line of a BOOKMARK or ERROR."""
        return self._encode(event_type, self._form.transform(event_type, obj, self._now()))

    def _shared_line(self, event: CachedEvent) -> bytes:
        line = event.made((type(self), self._form.key), lambda event: self._line(event.type, event.object))
        self._form.shown()
        return line

    def _line(self, event_type: str, cached: Cached) -> bytes:
        obj = self._form.transform(event_type, self._served.decode(cached), self._now())
        return self._encode(event_type, obj)

    def _encode(self, event_type: str, obj: Object) -> bytes:
        return orjson.dumps({"type": event_type, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)


class ProtobufFormLens(FormLens):
    """Events in another form or version, in protobuf."""

    def _encode(self, event_type: str, obj: Object) -> bytes:
        return frame(event_type, obj)


class ProtobufLens(PlainLens):
    """Events as they are, in protobuf; their frames are made once for all watchers."""

    def __init__(self, served: Served) -> None:
        self._api_version, self._kind = served.resource.api_version, served.resource.kind

    def events(self, events: Sequence[CachedEvent]) -> bytes:
        """Frames of some events."""
        try:
            return b"".join([event.protobuf_frame(self._api_version, self._kind) for event in events])
        except ProtobufError as error:
            return error_frame(error)

    def initial(self, items: Sequence[Cached]) -> bytes:
        """ADDED frames of objects."""
        try:
            return b"".join([self._added(item) for item in items])
        except ProtobufError as error:
            return error_frame(error)

    def control(self, event_type: str, obj: Object) -> bytes:
        """The frame of a BOOKMARK or ERROR."""
        return frame(event_type, obj)

    def _added(self, item: Cached) -> bytes:
        return encode_watch_frame("ADDED", wrap(item.message(), self._api_version, self._kind))


PLAIN = PlainLens()


def watch_lens(core: Core, call: Call, form: Form, served: Served) -> PlainLens:
    """How one watcher sees events. Raises ApiError (400) for a bad includeObject."""
    if not form.kind and not served.converts:
        return PLAIN if form.media_type != PROTOBUF else ProtobufLens(served)
    kind = ProtobufFormLens if form.media_type == PROTOBUF else FormLens
    return kind(core.now, served, tables.EventForm(served.resource, form, call.query))
