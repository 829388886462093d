"""How many lists, maps and entries of maps a protobuf object has, before any of them is made: `excess_of`.

A message of two bytes becomes a map of some hundred. So a body is walked by the table of messages first, and
nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from wherry.api.protobuf.encode import is_named_list
from wherry.api.protobuf.errors import ProtobufError
from wherry.api.protobuf.messages import Field, fields_of, message_of
from wherry.api.protobuf.special import (
    FIELDS_V1,
    JSON_VALUE,
    RAW_EXTENSION,
    SCHEMA,
    SCHEMA_OR_BOOL,
    SCHEMA_OR_TEXTS,
    SCHEMA_UNIONS,
)
from wherry.api.protobuf.special_read import ENVELOPE_DEPTH, MAGIC, MAX_DEPTH, READERS, parts
from wherry.api.protobuf.wire import BYTES, read_span, read_varint, skip
from wherry.objects.nesting import MOST_CONTAINERS, MOST_ENTRIES, containers_in, entries_in

_JSON = frozenset({RAW_EXTENSION, FIELDS_V1, JSON_VALUE})
_ENVELOPE = {1: BYTES, 2: BYTES}


class _TooManyError(Exception):
    def __init__(self, limit: int, what: str) -> None:
        super().__init__(what)
        self.excess = limit, what


def excess_of(data: bytes) -> tuple[int, str] | None:
    """What an object has too much of: more lists and maps than `MOST_CONTAINERS`, fields than `MOST_ENTRIES`.

    None for what cannot be read: whoever reads it says what is wrong.
    """
    if len(data) <= 2 * MOST_ENTRIES:  # each takes two bytes at least
        return None
    try:
        containers(data, MOST_CONTAINERS)
    except _TooManyError as error:
        return error.excess
    except (ProtobufError, IndexError, UnicodeDecodeError):
        return None
    return None


def containers(data: bytes, most: int) -> int:
    """How many lists and maps an object has. Raises once it is more than `most`, and what reading raises."""
    count = _Count(data, most)
    count.object(0, len(data), 0)
    return count.found


class _Count:
    """Goes through the messages in `data`; raises _TooManyError once there are more than `most`."""

    __slots__ = ("data", "entries", "found", "most")

    def __init__(self, data: bytes, most: int) -> None:
        self.data = data
        self.most = most
        self.found = 0
        self.entries = 0

    def enter(self, number: int = 1) -> None:
        """So many more fields there are, or entries of maps."""
        self.entries += number
        if self.entries > MOST_ENTRIES:
            raise _TooManyError(MOST_ENTRIES, "fields")

    def take(self, number: int = 1) -> None:
        """So many more there are."""
        self.found += number
        if self.found > self.most:
            raise _TooManyError(self.most, "lists and maps")

    def object(self, pos: int, end: int, depth: int) -> None:
        """An object in its envelope."""
        api_version = kind = ""
        raw = (end, end)
        for number, start, stop in parts(self.data, pos + len(MAGIC), end, _ENVELOPE):
            if number == 2:
                raw = (start, stop)
                continue
            for field, first, last in parts(self.data, start, stop, _ENVELOPE):
                text = self.data[first:last].decode()
                api_version, kind = (text, kind) if field == 1 else (api_version, text)
        message = message_of(api_version, kind)
        if message:
            self.take()
            self.message(message, *raw, depth)

    def message(self, message: str, pos: int, end: int, depth: int) -> None:
        """The fields of a message, which itself is counted already."""
        data, table, begun = self.data, _table(message), set()
        if depth > MAX_DEPTH:
            return
        while pos < end:
            tag, pos = read_varint(data, pos)
            step = table.get(tag >> 3)
            if step is None:
                pos = skip(data, pos, end, tag)
                continue
            if step.shape != "list":
                self.enter()
            if step.shape and tag not in begun:
                begun.add(tag)
                self.take()
            if tag & 7 != BYTES:
                pos = skip(data, pos, end, tag)
                continue
            start, pos = read_span(data, pos, end)
            if step.into is None:
                continue
            if step.shape == "map":
                for number, first, last in parts(data, start, pos, _ENVELOPE):
                    if number == 2:
                        step.into(self, first, last, depth + 1)
            else:
                step.into(self, start, pos, depth + 1)


_Step = Callable[[_Count, int, int, int], None]


class _Field(NamedTuple):
    shape: str
    into: _Step | None


@lru_cache(None)
def _table(message: str) -> dict[int, _Field]:
    """How each field of a message is counted: a list or map once, and what its values have."""
    return {field.number: _Field(field.shape, _step(field)) for field in fields_of(message)}


def _step(field: Field) -> _Step | None:
    message = field.type
    if field.is_scalar or (message in READERS and message not in _JSON):
        return None
    if message in _JSON:
        return _json
    if message in SCHEMA_UNIONS:
        return _unions(message)
    if is_named_list(message):
        return _list
    if field.is_inline:
        return lambda count, pos, end, depth: count.message(message, pos, end, depth)
    return lambda count, pos, end, depth: _one(count, message, pos, end, depth)


def _one(count: _Count, message: str, pos: int, end: int, depth: int) -> None:
    count.take()
    count.message(message, pos, end, depth)


def _list(count: _Count, _pos: int, _end: int, _depth: int) -> None:
    count.take()


def _json(count: _Count, pos: int, end: int, depth: int) -> None:
    """JSON, or another object, in a field."""
    for _, start, stop in parts(count.data, pos, end, {1: BYTES}):
        if count.data.startswith(MAGIC, start, stop):
            if depth <= MAX_DEPTH:
                count.object(start, stop, depth + ENVELOPE_DEPTH)
        else:
            count.take(containers_in(count.data, start, stop, count.most - count.found))
            count.enter(entries_in(count.data, start, stop))


def _unions(message: str) -> _Step:
    """A schema or something else: a boolean, a list of schemas or of texts."""
    number_of_one = 2 if message == SCHEMA_OR_BOOL else 1
    wanted = {2: BYTES} if message == SCHEMA_OR_BOOL else _ENVELOPE

    def step(count: _Count, pos: int, end: int, depth: int) -> None:
        is_schema = message == SCHEMA_OR_BOOL
        for number, start, stop in parts(count.data, pos, end, wanted):
            is_schema |= number == 1
            if number == number_of_one or message != SCHEMA_OR_TEXTS:
                _one(count, SCHEMA, start, stop, depth + 1)
        if not is_schema:
            count.take()

    return step
