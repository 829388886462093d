"""What stands around a message: the magic bytes and type of an object, the frames of a watch.

An object on its own is four magic bytes and a runtime.Unknown that names its type. A list is its own
message, whose items travel without a type, so that items encoded earlier can be joined. A watch sends
frames: a length of four bytes (the highest first) and a WatchEvent, whose object has the magic bytes again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any

from wherry.api.protobuf.encode import encoder
from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.messages import META, fields_of, message_of
from wherry.api.protobuf.special_read import MAGIC
from wherry.api.protobuf.wire import BYTES, delimited, heads, tag, varint
from wherry.kit.remembered import remembered
from wherry.objects.meta import Object

PIECE_S = 0.005
"""How long the items of one piece may take to make."""
_TAIL = b"\x1a\x00\x22\x00"  # no encoding, no content type
_LENGTH = struct.Struct(">I").pack
_WHAT_ODD_OBJECTS_RAISE = (AttributeError, TypeError, ValueError, KeyError, struct.error, RecursionError)


@remembered(1024)
def _type_meta(api_version: str, kind: str) -> bytes:
    return MAGIC + delimited(1, delimited(1, api_version.encode()) + delimited(2, kind.encode()))


def wrap(message: bytes, api_version: str, kind: str) -> bytes:
    """A message as an object on its own: magic bytes, type, content."""
    return b"".join((_type_meta(api_version, kind), tag(2, BYTES), varint(len(message)), message, _TAIL))


def has_protobuf(api_version: str, kind: str) -> bool:
    """Whether objects of the kind have a protobuf form: built-in kinds, not custom resources or Tables."""
    return bool(message_of(api_version, kind))


def encode_message(obj: Object, api_version: str = "", kind: str = "") -> bytes:
    """The bare message of an object, as it stands in a list; the kind is the object's own if not given.

    Raises ProtobufError for a kind without protobuf form, or an object that is not as its kind should be.
    """
    api_version, kind = api_version or obj.get("apiVersion", ""), kind or obj.get("kind", "")
    message = message_of(api_version, kind)
    if not message:
        raise ProtobufError(f"{kind or 'an object'} of {api_version or 'no version'} has no protobuf form")
    try:
        return encoder(message)(obj)
    except _WHAT_ODD_OBJECTS_RAISE as error:
        raise ProtobufError(f"the {kind} cannot be written: {error}") from error


def encode(obj: Object, api_version: str = "", kind: str = "") -> bytes:
    """An object, or a whole List, in its JSON form as protobuf.

    Raises ProtobufError like `encode_message`.
    """
    api_version, kind = api_version or obj.get("apiVersion", ""), kind or obj.get("kind", "")
    return wrap(encode_message(obj, api_version, kind), api_version, kind)


def list_pieces(
    api_version: str,
    kind: str,
    metadata: dict[str, Any],
    sizes: Sequence[int],
    items: Iterable[bytes],
    piece_bytes: Callable[[], int],
) -> Iterator[bytes]:
    """A List of `kind` (`PodList`) from its ListMeta and the bare messages of its items.

    `sizes` are those of the items, which are asked for as they are needed: the List begins with its length.
    It comes in pieces of some `piece_bytes()` each, at least one, or less if making that takes long. Raises
    ProtobufError like `encode_message`, at once.
    """
    message = message_of(api_version, kind)
    numbers = {field.name: field.number for field in fields_of(message)} if message else {}
    if "items" not in numbers:
        raise ProtobufError(f"{kind} of {api_version} is no list with a protobuf form")
    short, long = heads(numbers["items"]), tag(numbers["items"], BYTES)
    meta = delimited(numbers["metadata"], encoder(f"{META}.ListMeta")(metadata))
    fronts = [short[size] if size < 128 else long + varint(size) for size in sizes]
    length = len(meta) + sum(map(len, fronts)) + sum(sizes)
    head = b"".join((_type_meta(api_version, kind), tag(2, BYTES), varint(length), meta))
    return _joined(head, zip(fronts, items, strict=True), piece_bytes)


def _joined(
    head: bytes, items: Iterable[tuple[bytes, bytes]], piece_bytes: Callable[[], int]
) -> Iterator[bytes]:
    some, size = [head], len(head)
    most, end = piece_bytes(), perf_counter() + PIECE_S
    for front, item in items:
        if size >= most or perf_counter() >= end:
            yield b"".join(some)
            some, size = [], 0
            most, end = piece_bytes(), perf_counter() + PIECE_S
        some += (front, item)
        size += len(front) + len(item)
    yield b"".join((*some, _TAIL))


def encode_watch_frame(event_type: str, obj: bytes) -> bytes:
    """A frame of a watch: the event's type and its object, as `encode` or `wrap` gave it."""
    event = delimited(1, event_type.encode()) + delimited(2, delimited(1, obj))
    return _LENGTH(len(event)) + event
