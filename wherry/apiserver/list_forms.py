"""Lists in forms that have to be made: Tables, bare metadata, YAML, for human eyes, other versions.

Each object is decoded and shown by itself, and what came of a few of them is a piece, made when the one
before was taken; an object too large for that is made beside the loop. So a list of any length and form holds
the loop no longer than a portion. The bytes are the same as if the whole list had been made at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from time import perf_counter
from typing import NamedTuple

import orjson

from wherry.api import protobuf
from wherry.apiserver import tables
from wherry.apiserver.beside import LARGE
from wherry.apiserver.cached import Cached
from wherry.apiserver.call import Call, Outcome, Piece
from wherry.apiserver.core import Core
from wherry.apiserver.media_types import JSON, YAML
from wherry.apiserver.presentation import as_yaml, is_for_people
from wherry.apiserver.protobuf import Messages, list_of_messages
from wherry.apiserver.registry import Served
from wherry.apiserver.tables import PARTIAL_LIST, TABLE, Form
from wherry.objects.meta import Object

PORTION_S = 0.003
"""How long the items of one piece may take to make. A request of somebody else's is several turns of the
loop, and has a piece before it in each."""

Show = Callable[[Object], Object]


class _Text(NamedTuple):
    """How a list is written: what stands before, between and behind its items, and all of one without any."""

    opening: bytes
    between: bytes
    closing: bytes
    empty: bytes
    write: Callable[[Object], bytes]


def has_to_be_made(call: Call, served: Served, form: Form) -> bool:
    """Whether a list cannot simply be joined from what the cacher holds."""
    return bool(form.kind) or form.media_type == YAML or served.converts or is_for_people(call)


def made_list(
    core: Core, call: Call, served: Served, items: Sequence[Cached], meta: Object, form: Form
) -> Outcome:
    """The list in a form that is made. Raises ApiError (400)."""
    head, field, show = _frame(core, call, served, meta, form)
    if form.media_type == YAML:
        text, content_type = _in_yaml(head, field, show), YAML
    elif is_for_people(call):
        text, content_type = _indented(head, field, show), JSON
    else:
        text, content_type = _in_json(head, field, show), JSON
    large = LARGE // tables.row_factor(served.resource, form)
    pieces = _pieces(text, served, items, large)
    first = next(pieces)
    second = next(pieces, None)
    if second is None and isinstance(first, bytes):
        return Outcome(data=first, content_type=content_type, is_formed=True)
    if second is None:
        return Outcome(pieces=(first,), content_type=content_type, is_formed=True)
    return Outcome(pieces=chain((first, second), pieces), content_type=content_type, is_formed=True)


async def bare_list_in_protobuf(
    core: Core,
    call: Call,
    served: Served,
    items: Sequence[Cached],
    meta: Object,
    form: Form,
    piece_bytes: Callable[[], int],
) -> Outcome:
    """A list of bare metadata in protobuf. Raises ApiError (500)."""

    def encode(data: bytes) -> bytes:
        return protobuf.encode_message(tables.partial_metadata(served.read(data), form))

    made = Messages(lambda item: encode(item.data), lambda item: item.served_bytes >= LARGE, encode)
    return await list_of_messages(core, call, form.api_version, PARTIAL_LIST, meta, items, made, piece_bytes)


def _frame(core: Core, call: Call, served: Served, meta: Object, form: Form) -> tuple[Object, str, Show]:
    """The list without its items, the field they are in, and what one looks like."""
    resource = served.resource
    if form.kind == TABLE:
        policy, now = tables.include_object(call.query), core.now()
        head = tables.table(resource, (), meta, policy, now, form)
        del head["rows"]
        return head, "rows", lambda obj: tables.row(resource, obj, policy, now, form)
    if form.kind:
        head = {"kind": PARTIAL_LIST, "apiVersion": form.api_version, "metadata": meta}
        return head, "items", lambda obj: tables.partial_metadata(obj, form)
    head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta}
    return head, "items", lambda obj: obj


def _pieces(form: _Text, served: Served, items: Iterable[Cached], large: int) -> Iterator[Piece]:
    """The list's text, as much in each piece as `PORTION_S` gives time for; an object of `large` bytes is one
    alone.
    """
    before, is_empty = form.opening, True
    some: list[bytes] = []
    end = perf_counter() + PORTION_S
    for item in items:
        is_large = item.served_bytes >= large
        if is_large or perf_counter() >= end:
            if some:
                yield before + form.between.join(some)
                before, is_empty, some = form.between, False, []
            if is_large:
                yield partial(_one, before, form.write, served, item.data)
                before, is_empty = form.between, False
            end = perf_counter() + PORTION_S
        if not is_large:
            some.append(form.write(served.decode(item)))
    if some:
        yield before + form.between.join(some) + form.closing
    elif is_empty or form.closing:
        yield form.empty if is_empty else form.closing


def _one(before: bytes, write: Callable[[Object], bytes], served: Served, data: bytes) -> bytes:
    return before + write(served.read(data))


def _in_json(head: Object, field: str, show: Show) -> _Text:
    opening, closing = b'%b,"%b":[' % (orjson.dumps(head)[:-1], field.encode()), b"]}\n"
    return _Text(opening, b",", closing, opening + closing, lambda obj: orjson.dumps(show(obj)))


def _indented(head: Object, field: str, show: Show) -> _Text:
    """As orjson indents it by two, and with a newline at the end."""
    opening = orjson.dumps(head, option=orjson.OPT_INDENT_2)[:-2] + b',\n  "%b": [' % field.encode()

    def write(obj: Object) -> bytes:
        # A newline in JSON stands between values only: in texts it is written \n.
        return orjson.dumps(show(obj), option=orjson.OPT_INDENT_2).replace(b"\n", b"\n    ")

    return _Text(opening + b"\n    ", b",\n    ", b"\n  ]\n}\n", opening + b"]\n}\n", write)


def _in_yaml(head: Object, field: str, show: Show) -> _Text:
    """Items of a sequence are not indented in a map, so each is what it would be alone."""
    opening = as_yaml(head) + field.encode() + b":"
    return _Text(opening + b"\n", b"", b"", opening + b" []\n", lambda obj: as_yaml([show(obj)]))
