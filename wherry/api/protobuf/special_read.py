"""Reading the types of `special` back: each function gives a message's JSON value.

`None` means that the value is as good as absent: a zero time, an empty RawExtension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson

from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.special import (
    DURATION,
    EPOCH,
    FIELDS_V1,
    INT_OR_STRING,
    JSON_VALUE,
    MICRO_TIME,
    QUANTITY,
    RAW_EXTENSION,
    SCHEMA_OR_BOOL,
    TIME,
)
from wherry.api.protobuf.wire import BYTES, VARINT, int32, int64, read_span, read_varint, skip
from wherry.kit.remembered import remembered
from wherry.objects.meta import Object, format_micro_time, format_time

Read = Callable[[bytes, int, int, int], Any]
"""Reads the message between two positions of a buffer, at a depth of nesting."""

MAGIC = b"k8s\x00"
"""What a protobuf object begins with, wherever it stands on its own."""

MAX_DEPTH = 128
"""How deep messages may nest; Python's own stack is not much deeper."""

ENVELOPE_DEPTH = 16
"""How many levels an object within an object counts for."""

# Years before 1000 come out of strftime shorter than RFC 3339 wants them.
_TIME_WIDTH, _MICRO_TIME_WIDTH = len("2006-01-02T15:04:05Z"), len("2006-01-02T15:04:05.000000Z")


def parts(data: bytes, pos: int, end: int, numbers: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """A message's known fields: (number, value or start, end of bytes); `numbers` tells the wire types."""
    while pos < end:
        tag, pos = read_varint(data, pos)
        number, wire_type = tag >> 3, tag & 7
        wanted = numbers.get(number)
        if wanted is None:
            pos = skip(data, pos, end, tag)
        elif wanted != wire_type:
            raise ProtobufError(f"field {number} has the wire type {wire_type}, not {wanted}")
        elif wire_type == VARINT:
            value, pos = read_varint(data, pos)
            yield number, value, 0
        else:
            start, pos = read_span(data, pos, end)
            yield number, start, pos
    if pos != end:
        raise ProtobufError("a message ends inside a field")


def read_quantity(data: bytes, pos: int, end: int, _depth: int) -> str:
    """A quantity's text; Go's zero quantity is 0."""
    text = ""
    for _, start, stop in parts(data, pos, end, {1: BYTES}):
        text = data[start:stop].decode()
    return text or "0"


def _seconds_and_nanos(data: bytes, pos: int, end: int) -> tuple[int, int]:
    found = {number: value for number, value, _ in parts(data, pos, end, {1: VARINT, 2: VARINT})}
    return int64(found.get(1, 0)), int32(found.get(2, 0))


def read_time(data: bytes, pos: int, end: int, _depth: int) -> str | None:
    """A metav1.Time; fractions of a second are dropped, as JSON clients could not read them."""
    return _time(_seconds_and_nanos(data, pos, end)[0]) if pos != end else None


@remembered(4096)
def _time(seconds: int) -> str:
    try:
        return format_time(EPOCH + timedelta(seconds=seconds)).rjust(_TIME_WIDTH, "0")
    except OverflowError as error:
        raise ProtobufError(f"{seconds} seconds lie outside the years 1 to 9999") from error


def read_micro_time(data: bytes, pos: int, end: int, _depth: int) -> str | None:
    """A metav1.MicroTime; what is finer than a microsecond is dropped."""
    if pos == end:
        return None
    seconds, nanos = _seconds_and_nanos(data, pos, end)
    try:
        moment = EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
        return format_micro_time(moment).rjust(_MICRO_TIME_WIDTH, "0")
    except OverflowError as error:
        raise ProtobufError(f"{seconds} seconds lie outside the years 1 to 9999") from error


def read_duration(data: bytes, pos: int, end: int, _depth: int) -> str:
    """A metav1.Duration, spelt as Go spells it: `1m30s`, `1.5s`, `20ms`."""
    total = 0
    for _, value, _ in parts(data, pos, end, {1: VARINT}):
        total = int64(value)
    return format_duration(total)


def format_duration(nanoseconds: int) -> str:
    """A number of nanoseconds in Go's spelling."""
    if not nanoseconds:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if rest < size * 1000:
            return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, seconds = divmod(rest, 60 * 10**9)
    text = f"{_decimal(seconds, 10**9)}s"
    if minutes:
        text = f"{minutes % 60}m{text}"
    if minutes >= 60:
        text = f"{minutes // 60}h{text}"
    return sign + text


def _decimal(number: int, unit: int) -> str:
    whole, fraction = divmod(number, unit)
    if not fraction:
        return str(whole)
    return f"{whole}.{str(fraction).zfill(len(str(unit)) - 1).rstrip('0')}"


def read_int_or_string(data: bytes, pos: int, end: int, _depth: int) -> int | str:
    """Whichever of the two it is."""
    kind = number = 0
    text = ""
    for field, value, stop in parts(data, pos, end, {1: VARINT, 2: VARINT, 3: BYTES}):
        if field == 1:
            kind = value
        elif field == 2:
            number = int32(value)
        else:
            text = data[value:stop].decode()
    return text if kind else number


def read_json(data: bytes, pos: int, end: int, depth: int) -> Any:
    """The JSON value in field 1; an object in protobuf form is read, too, as Go's decoder does."""
    raw = (0, 0)
    for _, start, stop in parts(data, pos, end, {1: BYTES}):
        raw = (start, stop)
    if raw[0] == raw[1]:
        return None
    if data.startswith(MAGIC, raw[0], raw[1]):
        from wherry.api.protobuf.decode import read_object

        return read_object(data, *raw, depth=depth + ENVELOPE_DEPTH)
    try:
        return orjson.loads(memoryview(data)[slice(*raw)])
    except orjson.JSONDecodeError as error:
        raise ProtobufError(f"raw data are no JSON: {error}") from error


def read_texts(data: bytes, pos: int, end: int, _depth: int) -> list[str]:
    """A list of texts that is a message of its own."""
    return [data[start:stop].decode() for _, start, stop in parts(data, pos, end, {1: BYTES})]


def read_schema_union(message: str, read_schema: Read) -> Read:
    """How a JSONSchemaProps or something else (a list of them, a boolean, texts) is read."""

    def read_or_bool(data: bytes, pos: int, end: int, depth: int) -> Object | bool:
        allows, schema = False, None
        for number, value, stop in parts(data, pos, end, {1: VARINT, 2: BYTES}):
            if number == 1:
                allows = bool(value)
            else:
                schema = read_schema(data, value, stop, depth + 1)
        return schema if schema is not None else allows

    def read_or_list(data: bytes, pos: int, end: int, depth: int) -> Any:
        schema, others = None, []
        for number, start, stop in parts(data, pos, end, {1: BYTES, 2: BYTES}):
            if number == 1:
                schema = read_schema(data, start, stop, depth + 1)
            elif message.endswith("OrStringArray"):
                others.append(data[start:stop].decode())
            else:
                others.append(read_schema(data, start, stop, depth + 1))
        return schema if schema is not None else others

    return read_or_bool if message == SCHEMA_OR_BOOL else read_or_list


READERS: dict[str, Read] = {
    QUANTITY: read_quantity,
    TIME: read_time,
    MICRO_TIME: read_micro_time,
    DURATION: read_duration,
    INT_OR_STRING: read_int_or_string,
    RAW_EXTENSION: read_json,
    FIELDS_V1: read_json,
    JSON_VALUE: read_json,
}
