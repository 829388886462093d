"""Answers in protobuf, for the clients that ask for them: most programs written in Go.

JSON is what is kept; the protobuf message of an object is made when somebody first wants it, and then
kept beside it (`Cached.message`), so that reads, lists and all watchers share it. Objects served in
another version than they are stored in are encoded each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from wherry.api import protobuf
from wherry.apiserver.beside import LARGE, beside
from wherry.apiserver.cached import Cached
from wherry.apiserver.call import Call, Outcome
from wherry.apiserver.core import Core
from wherry.apiserver.media_types import PROTOBUF
from wherry.apiserver.registry import Served
from wherry.kit.portions import Portions, Work
from wherry.objects.errors import internal
from wherry.objects.meta import Object

WATCH_TYPE = f"{PROTOBUF};stream=watch"


def in_protobuf(outcome: Outcome) -> Outcome:
    """The outcome's object in protobuf; as it is (JSON) when its kind has no such form.

    Raises ApiError (500) for an object that is not as its kind should be.
    """
    obj = outcome.object
    if not protobuf.has_protobuf(obj.get("apiVersion", ""), obj.get("kind", "")):
        return outcome
    try:
        data = protobuf.encode(obj)
    except protobuf.ProtobufError as error:
        raise internal(str(error)) from error
    return Outcome(data=data, status=outcome.status, content_type=PROTOBUF, headers=outcome.headers)


def object_in_protobuf(served: Served, cached: Cached) -> Outcome:
    """One stored object. Raises ApiError (500)."""
    resource = served.resource
    try:
        data = protobuf.wrap(message_of(served, cached), resource.api_version, resource.kind)
    except protobuf.ProtobufError as error:
        raise internal(str(error)) from error
    return Outcome(data=data, content_type=PROTOBUF)


async def large_in_protobuf(core: Core, call: Call, served: Served, cached: Cached) -> Outcome:
    """One stored object that is too large to be encoded on the loop. Raises ApiError (500)."""
    data, resource = cached.data, served.resource
    try:
        message = await beside(core, call, lambda: protobuf.encode_message(served.read(data)), len(data))
    except protobuf.ProtobufError as error:
        raise internal(str(error)) from error
    if not served.converts:
        cached.keep_message(message)
    return Outcome(data=protobuf.wrap(message, resource.api_version, resource.kind), content_type=PROTOBUF)


def is_large(served: Served, cached: Cached) -> bool:
    """Whether encoding the object would hold the loop: it is large, and was not encoded before."""
    return cached.served_bytes >= LARGE and (served.converts or not cached.has_message)


class Messages(NamedTuple):
    """How the items of a list become messages. All raise ProtobufError."""

    of: Callable[[Cached], bytes]
    is_large: Callable[[Cached], bool]
    """Whether that would hold the loop."""
    encode: Callable[[bytes], bytes]
    """The same of the object's bytes, beside the loop."""
    keep: Callable[[Cached, bytes], object] | None = None
    """Keeps what was encoded beside the object, where `of` finds it."""


async def list_in_protobuf(
    core: Core,
    call: Call,
    served: Served,
    items: Sequence[Cached],
    list_meta: Object,
    piece_bytes: Callable[[], int],
) -> Outcome:
    """A List of stored objects, giving other requests their turn on the way. Raises ApiError (500).

    One that is longer than `piece_bytes()` is sent in pieces.
    """
    resource = served.resource
    made = Messages(
        lambda item: message_of(served, item),
        lambda item: is_large(served, item),
        lambda data: protobuf.encode_message(served.read(data)),
        None if served.converts else Cached.keep_message,
    )
    return await list_of_messages(
        core, call, resource.api_version, resource.list_kind, list_meta, items, made, piece_bytes
    )


async def list_of_messages(
    core: Core,
    call: Call,
    api_version: str,
    kind: str,
    list_meta: Object,
    items: Sequence[Cached],
    made: Messages,
    piece_bytes: Callable[[], int],
) -> Outcome:
    """A List of what is `made` of each item, likewise. Raises ApiError (500).

    What is sent in pieces is made twice, unless it is kept beside the objects: a List begins with its length,
    and a client that takes its time must not have all of it wait in memory. Only what is made beside the loop
    waits all the same.
    """
    sizes: list[int] = []
    messages: list[bytes] = []
    waiting: dict[Cached, bytes] = {}
    size, is_long, most = 0, False, piece_bytes()
    try:
        portions = Portions(Work.REQUESTS)
        for item in items:
            await portions.next()
            if made.is_large(item):
                data = await beside(core, call, partial(made.encode, item.data), item.served_bytes)
                if made.keep is None:
                    waiting[item] = data
                else:
                    made.keep(item, data)
            else:
                data = made.of(item)
            sizes.append(len(data))
            size += len(data)
            if not is_long:
                messages.append(data)
                is_long = size > most
        again = (waiting.get(item) or made.of(item) for item in items)
        written = again if is_long else messages
        pieces = protobuf.list_pieces(api_version, kind, list_meta, sizes, written, piece_bytes)
    except protobuf.ProtobufError as error:
        raise internal(str(error)) from error
    if is_long:
        return Outcome(pieces=pieces, content_type=PROTOBUF)
    return Outcome(data=b"".join(pieces), content_type=PROTOBUF)


def message_of(served: Served, cached: Cached) -> bytes:
    """The bare message of an object in the version `served` shows. Raises ProtobufError."""
    return protobuf.encode_message(served.decode(cached)) if served.converts else cached.message()


def frame(event_type: str, obj: Object) -> bytes:
    """The frame of an event, made from its object; an ERROR if the object is not as its kind should be."""
    try:
        return protobuf.encode_watch_frame(event_type, protobuf.encode(obj))
    except protobuf.ProtobufError as error:
        return error_frame(error)


def error_frame(error: protobuf.ProtobufError) -> bytes:
    """What a watch is told when an event cannot be written: clients begin anew, others are not concerned."""
    return protobuf.encode_watch_frame("ERROR", protobuf.encode(internal(str(error)).status()))
