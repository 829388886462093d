"""Protobuf messages into objects in their JSON form, driven by the table of messages.

`Decoder.into` is the one loop everything passes; it is long because a call per field is what would
make it slow. The result is what the JSON decoder of the same object would give: zero values that Go's
JSON leaves out are left out, embedded messages' fields stand among their parent's.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from wherry.api.protobuf.encode import is_named_list
from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.messages import Field, fields_of, message_of
from wherry.api.protobuf.special import SCHEMA, SCHEMA_UNIONS
from wherry.api.protobuf.special_read import (
    MAGIC,
    MAX_DEPTH,
    READERS,
    Read,
    parts,
    read_schema_union,
    read_texts,
)
from wherry.api.protobuf.wire import BYTES, FIXED64, VARINT, int32, int64, read_varint, skip
from wherry.objects.meta import Object

TEXT, TEXTS, MESSAGE, MESSAGES, INLINE, VALUE, VALUES, MAP, PACKED = range(9)
"""What is done with a field of bytes."""

_DOUBLE = struct.Struct("<d")


class _Entry(NamedTuple):
    """What to do at a tag: an operation, the name in JSON, what reads the value, whether zero is kept."""

    operation: int
    name: str
    read: Any
    keeps_zero: bool


class Decoder:
    """Reads one message."""

    __slots__ = ("_message", "_table")

    def __init__(self, message: str) -> None:
        self._message = message
        self._table: dict[int, _Entry] | None = None

    def __call__(self, data: bytes, pos: int, end: int, depth: int) -> Object:
        """The message between two positions as a new object."""
        obj: Object = {}
        self.into(obj, data, pos, end, depth)
        return obj

    def into(self, obj: Object, data: bytes, pos: int, end: int, depth: int) -> None:
        """Merge the message between two positions into `obj`. Raises ProtobufError or IndexError."""
        table = self._table
        if table is None:
            table = self._table = _compile(self._message)
        if depth > MAX_DEPTH:
            raise ProtobufError(f"messages are nested deeper than {MAX_DEPTH}")
        while pos < end:
            tag = data[pos]
            pos += 1
            if tag > 127:
                tag, pos = read_varint(data, pos - 1)
            entry = table.get(tag)
            if entry is None:
                pos = self._unknown(table, data, pos, end, tag)
                continue
            operation, name, read, keeps_zero = entry
            if tag & 7 != BYTES:
                pos = _number(obj, entry, data, pos)
                continue
            size = data[pos]
            pos += 1
            if size > 127:
                size, pos = read_varint(data, pos - 1)
            stop = pos + size
            if stop > end:
                raise ProtobufError("a length goes past the end")
            if operation == TEXT:
                if size or keeps_zero:
                    obj[name] = data[pos:stop].decode()
                else:
                    obj.pop(name, None)
            elif operation == MESSAGE:
                target = obj.get(name)
                if target is None:
                    target = obj[name] = {}
                read(target, data, pos, stop, depth + 1)
                if not target and not keeps_zero:
                    del obj[name]
            elif operation == MESSAGES:
                target = {}
                read(target, data, pos, stop, depth + 1)
                _list(obj, name).append(target)
            elif operation == VALUE:
                value = read(data, pos, stop, depth + 1)
                if value is not None and (value or keeps_zero):
                    obj[name] = value
            elif operation == TEXTS:
                _list(obj, name).append(data[pos:stop].decode())
            elif operation == MAP:
                read(obj, name, data, pos, stop, depth + 1)
            elif operation == INLINE:
                read(obj, data, pos, stop, depth + 1)
            elif operation == VALUES:
                _list(obj, name).append(read(data, pos, stop, depth + 1))
            else:
                _packed(obj, entry, data, pos, stop)
            pos = stop
        if pos != end:
            raise ProtobufError("a message ends inside a field")

    def _unknown(self, table: dict[int, _Entry], data: bytes, pos: int, end: int, tag: int) -> int:
        """Step over a field of a later version. Raises ProtobufError for a known one of another type."""
        if any(tag >> 3 == known >> 3 for known in table):
            raise ProtobufError(f"field {tag >> 3} of {self._message} has the wrong wire type {tag & 7}")
        return skip(data, pos, end, tag)


@lru_cache(None)
def decoder(message: str) -> Decoder:
    """The decoder of a message, always the same."""
    return Decoder(message)


def _list(obj: Object, name: str) -> list[Any]:
    found = obj.get(name)
    if found is None:
        found = obj[name] = []
    return found


def _number(obj: Object, entry: _Entry, data: bytes, pos: int) -> int:
    """Read a varint or a double into its field; the position behind it."""
    value, pos = entry.read(data, pos)
    if entry.operation == VALUES:
        _list(obj, entry.name).append(value)
    elif value or entry.keeps_zero:
        obj[entry.name] = value
    else:
        obj.pop(entry.name, None)
    return pos


def _packed(obj: Object, entry: _Entry, data: bytes, pos: int, end: int) -> None:
    """A list of numbers in one field; Kubernetes never writes it, protobuf wants it understood."""
    values = _list(obj, entry.name)
    while pos < end:
        value, pos = entry.read(data, pos)
        values.append(value)
    if pos != end:
        raise ProtobufError("a packed list ends inside a number")


def _read_bool(data: bytes, pos: int) -> tuple[bool, int]:
    value, pos = read_varint(data, pos)
    return value != 0, pos


def _read_int32(data: bytes, pos: int) -> tuple[int, int]:
    value, pos = read_varint(data, pos)
    return int32(value), pos


def _read_int64(data: bytes, pos: int) -> tuple[int, int]:
    value, pos = read_varint(data, pos)
    return int64(value), pos


def _read_double(data: bytes, pos: int) -> tuple[float, int]:
    """A number; whole ones as integers, as they stand in JSON."""
    try:
        (value,) = _DOUBLE.unpack_from(data, pos)
    except struct.error as error:
        raise ProtobufError("a number goes past the end") from error
    if not math.isfinite(value):
        raise ProtobufError(f"{value} cannot be said in JSON")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value, pos + 8


_NUMBERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    "bool": _read_bool,
    "int32": _read_int32,
    "int64": _read_int64,
    "double": _read_double,
}


def _read_text(data: bytes, pos: int, end: int, _depth: int) -> str:
    return data[pos:end].decode()


def _read_base64(data: bytes, pos: int, end: int, _depth: int) -> str:
    return base64.b64encode(memoryview(data)[pos:end]).decode()


def read_of(message: str) -> Read:
    """How a message becomes a value: specially, or field by field."""
    special = READERS.get(message)
    if special is not None:
        return special
    if message in SCHEMA_UNIONS:
        return read_schema_union(message, decoder(SCHEMA))
    return read_texts if is_named_list(message) else decoder(message)


def _compile(message: str) -> dict[int, _Entry]:
    """What to do at each tag the message may have."""
    table: dict[int, _Entry] = {}
    for field in fields_of(message):
        if field.type in _NUMBERS:
            read = _NUMBERS[field.type]
            operation = VALUES if field.shape else VALUE
            wire_type = FIXED64 if field.type == "double" else VARINT
            table[field.number << 3 | wire_type] = _Entry(operation, field.name, read, field.keeps_zero)
            if field.shape:
                table[field.number << 3 | BYTES] = _Entry(PACKED, field.name, read, True)
        else:
            table[field.number << 3 | BYTES] = _bytes_entry(field)
    return table


def _bytes_entry(field: Field) -> _Entry:
    if field.type == "string" and field.shape != "map":
        return _Entry(TEXTS if field.shape else TEXT, field.name, None, field.keeps_zero)
    read: Read
    if field.type == "string":
        read = _read_text
    elif field.type == "bytes":
        read = _read_base64
    else:
        read = read_of(field.type)
    if field.shape == "map":
        return _Entry(MAP, field.name, _map_reader(read), True)
    if isinstance(read, Decoder):
        if field.is_inline:
            return _Entry(INLINE, field.name, read.into, True)
        if field.shape:
            return _Entry(MESSAGES, field.name, read.into, True)
        return _Entry(MESSAGE, field.name, read.into, not field.omits_empty)
    keeps_zero = field.keeps_zero or not field.is_scalar  # Go's omitempty never leaves out a struct
    return _Entry(VALUES if field.shape else VALUE, field.name, read, keeps_zero)


def _map_reader(read: Read) -> Callable[[Object, str, bytes, int, int, int], None]:
    """How an entry of a map is read; a missing key is "", a missing value the type's zero."""

    def read_entry(obj: Object, name: str, data: bytes, pos: int, end: int, depth: int) -> None:
        key, value = "", None
        for number, start, stop in parts(data, pos, end, _MAP_ENTRY):
            if number == 1:
                key = data[start:stop].decode()
            else:
                value = read(data, start, stop, depth)
        found = obj.get(name)
        if found is None:
            found = obj[name] = {}
        if value is None:
            value = read(b"", 0, 0, depth)
        found[key] = value

    return read_entry


_MAP_ENTRY = {1: BYTES, 2: BYTES}


def read_object(data: bytes, pos: int, end: int, depth: int, api_version: str = "", kind: str = "") -> Object:
    """The object in its envelope between two positions; `api_version` and `kind` if it does not say.

    Raises ProtobufError, and what reading past the end or bad text raises.
    """
    if not data.startswith(MAGIC, pos, end):
        raise ProtobufError("the data do not begin with k8s and a zero byte")
    raw = (end, end)
    for number, start, stop in parts(data, pos + len(MAGIC), end, {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES}):
        if number == 1:
            api_version, kind = _type_meta(data, start, stop, api_version, kind)
        elif number == 2:
            raw = (start, stop)
        elif number == 3 and start != stop:
            raise ProtobufError("the content is encoded in a way this server does not know")
    message = message_of(api_version, kind)
    if not message:
        raise ProtobufError(f"{kind or 'an object'} of {api_version or 'no version'} has no protobuf form")
    obj: Object = {"apiVersion": api_version, "kind": kind}
    decoder(message).into(obj, data, *raw, depth)
    if kind.endswith("List") and any(field.name == "items" for field in fields_of(message)):
        obj.setdefault("items", [])
    return obj


def _type_meta(data: bytes, pos: int, end: int, api_version: str, kind: str) -> tuple[str, str]:
    for number, start, stop in parts(data, pos, end, {1: BYTES, 2: BYTES}):
        text = data[start:stop].decode()
        if number == 1:
            api_version = text or api_version
        else:
            kind = text or kind
    return api_version, kind


def decode(data: bytes, api_version: str = "", kind: str = "") -> Object:
    """The object that protobuf `data` hold, in its JSON form with apiVersion and kind.

    `api_version` and `kind` are what it is taken for when it does not say. Raises ProtobufError for
    anything but a well-formed object of a known kind.
    """
    try:
        return read_object(data, 0, len(data), 0, api_version, kind)
    except ProtobufError:
        raise
    except IndexError as error:
        raise ProtobufError("the data end inside a field") from error
    except UnicodeDecodeError as error:
        raise ProtobufError(f"a text is not UTF-8: {error}") from error


def read_frame(data: bytes, pos: int = 0) -> tuple[str, Object, int] | None:
    """The watch event framed at `pos`: type, object, the position behind it.

    None while the frame is not all there. Raises ProtobufError.
    """
    if len(data) < pos + 4 or len(data) < (end := pos + 4 + int.from_bytes(data[pos : pos + 4])):
        return None
    event_type, obj = "", {}
    try:
        for number, start, stop in parts(data, pos + 4, end, _MAP_ENTRY):
            if number == 1:
                event_type = data[start:stop].decode()
            else:
                for _, begin, last in parts(data, start, stop, {1: BYTES}):
                    obj = read_object(data, begin, last, 0)
    except (IndexError, UnicodeDecodeError) as error:
        raise ProtobufError(f"the event cannot be read: {error}") from error
    return event_type, obj, end
