"""Protobuf's wire format: varints, tags, and stepping over what is not known.

Everything reads from one buffer between positions, so nested messages are never copied.
"""

from __future__ import annotations

from functools import lru_cache

from wherry.api.protobuf.errors import ProtobufError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
_64_BITS = (1 << 64) - 1

SMALL = tuple(bytes((number,)) for number in range(128))
"""The varints of one byte."""


def varint(number: int) -> bytes:
    """A number as a varint; a negative one as its 64-bit two's complement."""
    number &= _64_BITS
    if number < 128:
        return SMALL[number]
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


@lru_cache(None)
def tag(number: int, wire_type: int) -> bytes:
    """The tag in front of a field's value."""
    return varint(number << 3 | wire_type)


@lru_cache(None)
def heads(number: int) -> tuple[bytes, ...]:
    """Tag and length of a field of bytes, for each length below 128."""
    start = tag(number, BYTES)
    return tuple(start + size for size in SMALL)


def delimited(number: int, data: bytes) -> bytes:
    """A whole field of bytes: tag, length, data."""
    size = len(data)
    return heads(number)[size] + data if size < 128 else tag(number, BYTES) + varint(size) + data


def read_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The number at `pos` and the position behind it.

    Raises IndexError at the end of the data, ProtobufError for more than ten bytes.
    """
    byte = data[pos]
    if byte < 128:
        return byte, pos + 1
    number, shift, last = byte & 127, 7, pos + LONGEST_VARINT
    while True:
        pos += 1
        if pos == last:
            raise ProtobufError("a number is longer than ten bytes")
        byte = data[pos]
        number |= (byte & 127) << shift
        if byte < 128:
            return number & _64_BITS, pos + 1
        shift += 7


def read_span(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Start and end of the bytes whose length stands at `pos`. Raises ProtobufError past `end`."""
    size, pos = read_varint(data, pos)
    if pos + size > end:
        raise ProtobufError("a length goes past the end")
    return pos, pos + size


def skip(data: bytes, pos: int, end: int, tag_read: int) -> int:
    """The position behind the value of an unknown field. Raises ProtobufError."""
    wire_type = tag_read & 7
    if not tag_read >> 3:
        raise ProtobufError("a field has the number 0")
    if wire_type == BYTES:
        return read_span(data, pos, end)[1]
    if wire_type == VARINT:
        return read_varint(data, pos)[1]
    if wire_type == FIXED64:
        return pos + 8
    if wire_type == FIXED32:
        return pos + 4
    raise ProtobufError(f"wire type {wire_type} is not used in Kubernetes' messages")


def int32(number: int) -> int:
    """The signed 32-bit number in the low bits of a varint."""
    number &= 0xFFFFFFFF
    return number - 0x100000000 if number & 0x80000000 else number


def int64(number: int) -> int:
    """The signed 64-bit number a varint stands for."""
    return number - 0x10000000000000000 if number & 0x8000000000000000 else number
