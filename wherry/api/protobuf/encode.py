"""Objects into protobuf messages, by functions compiled from the table of messages.

A message's encoder goes through the keys the object has, not through the fields it could have: most
objects set few of them. Fields come in the object's order, and fields of an embedded message each in
an occurrence of their own, both of which protobuf allows and Go's decoder merges.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from wherry.api.protobuf.messages import Field, fields_of
from wherry.api.protobuf.special import (
    ENCODERS,
    SCHEMA,
    SCHEMA_UNIONS,
    Encode,
    encode_schema_union,
    encode_texts,
)
from wherry.api.protobuf.wire import BYTES, FIXED64, SMALL, VARINT, heads, tag, varint

Append = Callable[[bytes], None]
Put = Callable[[Any, Append], None]

_LIMITS = {"int32": 1 << 31, "int64": 1 << 63}


class Encoder:
    """Writes one message. Calling it gives the bytes of an object in its JSON form."""

    __slots__ = ("_message", "_puts")

    def __init__(self, message: str) -> None:
        self._message = message
        self._puts: dict[str, Put] | None = None

    def __call__(self, obj: dict[str, Any]) -> bytes:
        puts = self._puts
        if puts is None:
            puts = self.puts()
        out: list[bytes] = []
        append = out.append
        for name, value in obj.items():
            put = puts.get(name)
            if put is not None and value is not None:
                put(value, append)
        return b"".join(out)

    def puts(self) -> dict[str, Put]:
        """How each field is written, by its name in JSON; embedded messages' fields are among them."""
        if self._puts is None:
            found: dict[str, Put] = {}
            for field in fields_of(self._message):
                if field.is_inline:
                    for name, put in encoder(field.type).puts().items():
                        found[name] = _put_inside(field.number, put)
                else:
                    found[field.name] = _put(field)
            self._puts = found
        return self._puts


@lru_cache(None)
def encoder(message: str) -> Encoder:
    """The encoder of a message, always the same."""
    return Encoder(message)


def encode_of(message: str) -> Encode:
    """How a value of a message type is written: specially, or field by field."""
    special = ENCODERS.get(message)
    if special is not None:
        return special
    if message in SCHEMA_UNIONS:
        return lambda value: encode_schema_union(message, value, encoder(SCHEMA))
    if is_named_list(message):
        return encode_texts
    return encoder(message)


def is_named_list(message: str) -> bool:
    """Whether the message is a mere list of texts."""
    return [(field.name, field.type, field.shape) for field in fields_of(message)] == [
        ("items", "string", "list")
    ]


def _put(field: Field) -> Put:
    if field.shape == "map":
        return _put_map(field)
    if field.type in ("int32", "int64"):
        put = _put_int(field.number, _LIMITS[field.type])
    elif field.type == "bool":
        put = _put_bool(field.number)
    elif field.type == "double":
        put = _put_double(field.number)
    else:
        return (
            _put_list(field.number, _encode(field))
            if field.shape
            else _put_bytes(field.number, _encode(field))
        )
    return _put_each(put) if field.shape else put


def _encode(field: Field) -> Encode:
    match field.type:
        case "string":
            return str.encode
        case "bytes":
            return base64.b64decode
        case message:
            return encode_of(message)


def _put_bytes(number: int, encode: Encode) -> Put:
    short, long = heads(number), tag(number, BYTES)

    def put(value: Any, append: Append) -> None:
        data = encode(value)
        size = len(data)
        append(short[size] + data if size < 128 else long + varint(size) + data)

    return put


def _put_list(number: int, encode: Encode) -> Put:
    short, long = heads(number), tag(number, BYTES)

    def put(values: Any, append: Append) -> None:
        if type(values) is not list:
            raise TypeError("a list was expected")
        for value in values:
            data = encode(value)
            size = len(data)
            append(short[size] + data if size < 128 else long + varint(size) + data)

    return put


def _put_map(field: Field) -> Put:
    short, long = heads(field.number), tag(field.number, BYTES)
    encode, keys, found = _encode(field), heads(1), heads(2)

    def put(values: Any, append: Append) -> None:
        for key, value in values.items():
            name, data = key.encode(), encode(value)
            at, size = len(name), len(data)
            entry = keys[at] + name if at < 128 else b"\x0a" + varint(at) + name
            entry += found[size] + data if size < 128 else b"\x12" + varint(size) + data
            size = len(entry)
            append(short[size] + entry if size < 128 else long + varint(size) + entry)

    return put


def _put_inside(number: int, put: Put) -> Put:
    short, long = heads(number), tag(number, BYTES)

    def put_inside(value: Any, append: Append) -> None:
        out: list[bytes] = []
        put(value, out.append)
        data = b"".join(out)
        size = len(data)
        append(short[size] + data if size < 128 else long + varint(size) + data)

    return put_inside


def _put_each(put: Put) -> Put:
    def put_each(values: Any, append: Append) -> None:
        for value in values:
            put(value, append)

    return put_each


def _put_int(number: int, limit: int) -> Put:
    start = tag(number, VARINT)

    def put(value: Any, append: Append) -> None:
        if type(value) is not int:
            raise TypeError("an integer was expected")
        if 0 <= value < 128:
            append(start + SMALL[value])
        elif -limit <= value < limit:
            append(start + varint(value))
        else:
            raise ValueError(f"{value} is out of range")

    return put


def _put_bool(number: int) -> Put:
    true, false = tag(number, VARINT) + b"\x01", tag(number, VARINT) + b"\x00"

    def put(value: Any, append: Append) -> None:
        append(true if value else false)

    return put


def _put_double(number: int) -> Put:
    start, pack = tag(number, FIXED64), struct.Struct("<d").pack

    def put(value: Any, append: Append) -> None:
        append(start + pack(value))

    return put
