"""Protobuf by hand, for the few messages of containerd's own API that are read or sent."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class MalformedMessage(Exception):
    """Bytes that are not a protobuf message."""


def wire_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value. Raises MalformedMessage."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            integer, position = _read_varint(data, position)
            yield number, integer
            continue
        if kind == _BYTES:
            length, position = _read_varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise MalformedMessage(f"unknown wire type {kind}")
        if position + length > len(data):
            raise MalformedMessage("field runs past the message's end")
        yield number, data[position : position + length]
        position += length


def text_field(number: int, text: str | bytes) -> bytes:
    """A field of a message: a text, or bytes, or another message."""
    data = text.encode() if isinstance(text, str) else text
    return bytes([number << 3 | _BYTES]) + _varint(len(data)) + data


def texts_of(data: bytes) -> dict[int, bytes]:
    """The fields that are texts or messages, by number; of one that repeats the last."""
    return {number: value for number, value in wire_fields(data) if isinstance(value, bytes)}


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise MalformedMessage("unfinished number")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if not byte & 0x80:
            return value, position


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
