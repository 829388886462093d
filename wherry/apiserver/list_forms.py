"""Lists in forms that have to be made: Tables, bare metadata, YAML, for human eyes, other versions.

Each object is decoded and shown by itself, and what came of a few of them is a piece, made when the one
before was taken; so a list of any length and form holds the loop no longer than a portion. The bytes are the
same as if the whole list had been made at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from time import perf_counter

import orjson

from wherry.api import protobuf
from wherry.apiserver import tables
from wherry.apiserver.cached import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.media_types import JSON, YAML
from wherry.apiserver.presentation import as_yaml, is_for_people
from wherry.apiserver.protobuf import list_of_messages
from wherry.apiserver.registry import Served
from wherry.apiserver.tables import PARTIAL_LIST, TABLE, Form
from wherry.objects.meta import Object

PORTION_S = 0.005
"""How long the items of one piece may take to make."""

Show = Callable[[Cached], Object]


def has_to_be_made(call: Call, served: Served, form: Form) -> bool:
    """Whether a list cannot simply be joined from what the cacher holds."""
    return bool(form.kind) or form.media_type == YAML or served.converts or is_for_people(call)


def made_list(
    core: Core, call: Call, served: Served, items: Sequence[Cached], meta: Object, form: Form
) -> Outcome:
    """The list in a form that is made. Raises ApiError (400)."""
    head, field, show = _frame(core, call, served, meta, form)
    if form.media_type == YAML:
        pieces, content_type = _in_yaml(head, field, map(show, items)), YAML
    elif is_for_people(call):
        pieces, content_type = _indented(head, field, map(show, items)), JSON
    else:
        pieces, content_type = _in_json(head, field, map(show, items)), JSON
    first = next(pieces)
    second = next(pieces, None)
    if second is None:
        return Outcome(data=first, content_type=content_type, is_formed=True)
    return Outcome(pieces=chain((first, second), pieces), content_type=content_type, is_formed=True)


async def bare_list_in_protobuf(
    served: Served,
    items: Sequence[Cached],
    meta: Object,
    form: Form,
    piece_bytes: Callable[[], int],
) -> Outcome:
    """A list of bare metadata in protobuf. Raises ApiError (500)."""

    def message(item: Cached) -> bytes:
        return protobuf.encode_message(tables.partial_metadata(served.decode(item), form))

    return await list_of_messages(form.api_version, PARTIAL_LIST, meta, items, message, piece_bytes)


def _frame(core: Core, call: Call, served: Served, meta: Object, form: Form) -> tuple[Object, str, Show]:
    """The list without its items, the field they are in, and what one looks like."""
    resource = served.resource
    if form.kind == TABLE:
        policy, now = tables.include_object(call.query), core.now()
        head = tables.table(resource, (), meta, policy, now, form)
        del head["rows"]
        return head, "rows", lambda item: tables.row(resource, served.decode(item), policy, now, form)
    if form.kind:
        head = {"kind": PARTIAL_LIST, "apiVersion": form.api_version, "metadata": meta}
        return head, "items", lambda item: tables.partial_metadata(served.decode(item), form)
    head = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta}
    return head, "items", served.decode


def _portions(items: Iterable[Object], write: Callable[[Object], bytes]) -> Iterator[list[bytes]]:
    """What `write` makes of the items, as much together as `PORTION_S` gives time for."""
    some: list[bytes] = []
    end = perf_counter() + PORTION_S
    for item in items:
        some.append(write(item))
        if perf_counter() >= end:
            yield some
            some, end = [], perf_counter() + PORTION_S
    if some:
        yield some


def _in_json(head: Object, field: str, items: Iterable[Object]) -> Iterator[bytes]:
    before = b'%b,"%b":[' % (orjson.dumps(head)[:-1], field.encode())
    for some in _portions(items, orjson.dumps):
        yield before + b",".join(some)
        before = b","
    yield (b"" if before == b"," else before) + b"]}\n"


def _indented(head: Object, field: str, items: Iterable[Object]) -> Iterator[bytes]:
    """As orjson indents it by two, and with a newline at the end."""
    opening = orjson.dumps(head, option=orjson.OPT_INDENT_2)[:-2] + b',\n  "%b": [' % field.encode()

    def write(item: Object) -> bytes:
        # A newline in JSON stands between values only: in texts it is written \n.
        return orjson.dumps(item, option=orjson.OPT_INDENT_2).replace(b"\n", b"\n    ")

    before = opening + b"\n    "
    is_empty = True
    for some in _portions(items, write):
        yield before + b",\n    ".join(some)
        before, is_empty = b",\n    ", False
    yield opening + b"]\n}\n" if is_empty else b"\n  ]\n}\n"


def _in_yaml(head: Object, field: str, items: Iterable[Object]) -> Iterator[bytes]:
    """Items of a sequence are not indented in a map, so each is what it would be alone."""
    opening = as_yaml(head) + field.encode() + b":"
    is_empty = True
    for some in _portions(items, lambda item: as_yaml([item])):
        yield (opening + b"\n" if is_empty else b"") + b"".join(some)
        is_empty = False
    if is_empty:
        yield opening + b" []\n"
