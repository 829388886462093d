"""Types whose JSON form is not that of their fields: times, quantities, raw JSON and a few unions.

`encoder_of` gives functions from the JSON value to the message's bytes (without tag and length).
Reading them back is `special_read`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.messages import META
from wherry.api.protobuf.wire import VARINT, delimited, tag, varint
from wherry.kit.remembered import remembered
from wherry.objects.go_durations import parse_go_duration
from wherry.objects.meta import parse_time

Encode = Callable[[Any], bytes]

QUANTITY = "k8s.io.apimachinery.pkg.api.resource.Quantity"
TIME, MICRO_TIME, DURATION = f"{META}.Time", f"{META}.MicroTime", f"{META}.Duration"
INT_OR_STRING = "k8s.io.apimachinery.pkg.util.intstr.IntOrString"
RAW_EXTENSION = "k8s.io.apimachinery.pkg.runtime.RawExtension"
FIELDS_V1 = f"{META}.FieldsV1"
_APIEXTENSIONS = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
JSON_VALUE = f"{_APIEXTENSIONS}.JSON"
SCHEMA = f"{_APIEXTENSIONS}.JSONSchemaProps"
SCHEMA_OR_LIST, SCHEMA_OR_BOOL = f"{SCHEMA}OrArray", f"{SCHEMA}OrBool"
SCHEMA_OR_TEXTS = f"{SCHEMA}OrStringArray"
SCHEMA_UNIONS = frozenset({SCHEMA_OR_LIST, SCHEMA_OR_BOOL, SCHEMA_OR_TEXTS})

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION = re.compile(r"(\d+)(?:\.(\d*))?(ns|us|µs|ms|s|m|h)")


def encode_quantity(value: Any) -> bytes:
    """A quantity; numbers are taken as their text."""
    return delimited(1, (value if isinstance(value, str) else str(value)).encode())


@remembered(4096)
def encode_time(value: str) -> bytes:
    """A metav1.Time: whole seconds. Raises ValueError for what is no time."""
    return tag(1, VARINT) + varint((parse_time(value) - EPOCH) // _SECOND) + b"\x10\x00"


def encode_micro_time(value: str) -> bytes:
    """A metav1.MicroTime. Raises ValueError for what is no time."""
    seconds, rest = divmod(parse_time(value) - EPOCH, _SECOND)
    return tag(1, VARINT) + varint(seconds) + tag(2, VARINT) + varint(rest // _MICROSECOND * 1000)


def encode_duration(value: str) -> bytes:
    """A metav1.Duration (`1m30s`) in nanoseconds. Raises ProtobufError for what is no duration."""
    try:
        total = parse_go_duration(value)
    except ValueError as error:
        raise ProtobufError(f"{value[:64]!r} is no duration, such as 1m30s") from error
    return tag(1, VARINT) + varint(total)


def encode_int_or_string(value: int | str) -> bytes:
    """An IntOrString: which of the two it is, and the value."""
    if isinstance(value, str):
        return b"\x08\x01" + delimited(3, value.encode())
    return b"\x08\x00" + tag(2, VARINT) + varint(value)


def encode_json(value: Any) -> bytes:
    """RawExtension, FieldsV1 and JSON: the JSON text in field 1."""
    return delimited(1, orjson.dumps(value))


def encode_texts(value: list[str]) -> bytes:
    """A list of texts that is a message of its own (authentication's ExtraValue, metav1's Verbs)."""
    return b"".join([delimited(1, text.encode()) for text in value])


def encode_schema_union(message: str, value: Any, encode_schema: Encode) -> bytes:
    """A JSONSchemaProps or something else: a list of them, a boolean, texts."""
    if message == SCHEMA_OR_BOOL:
        if isinstance(value, bool):
            return b"\x08\x01" if value else b"\x08\x00"
        return b"\x08\x01" + delimited(2, encode_schema(value))
    if isinstance(value, dict):
        return delimited(1, encode_schema(value))
    if message == SCHEMA_OR_LIST:
        return b"".join([delimited(2, encode_schema(item)) for item in value])
    return b"".join([delimited(2, text.encode()) for text in value])


ENCODERS: dict[str, Encode] = {
    QUANTITY: encode_quantity,
    TIME: encode_time,
    MICRO_TIME: encode_micro_time,
    DURATION: encode_duration,
    INT_OR_STRING: encode_int_or_string,
    RAW_EXTENSION: encode_json,
    FIELDS_V1: encode_json,
    JSON_VALUE: encode_json,
}
