"""Container log files: what their lines mean, and which part of one was asked for. Pure.

Runtimes write `<RFC 3339 time> stdout|stderr P|F <text>`; P marks a piece of a line that goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import BinaryIO

from wherry.kit.integers import parse_integer
from wherry.objects.errors import show_value

_BLOCK = 64 * 1024
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_PLAIN = re.compile(rb"[^ ]+ std(?:out|err) F(?::[^ ]*)? ([^\n]*\n)")
"""A whole record; what is found is its text."""
_STAMPED = re.compile(rb"([^ \n]+ )std(?:out|err) F(?::[^ ]*)? ([^\n]*\n)")
_PARTIAL = (b" stdout P", b" stderr P")
_SECOND_B = len("2026-01-01T00:00:00")
_STREAMS = {"All": b"", "Stdout": b"stdout", "Stderr": b"stderr"}


class BadLogOptions(ValueError):
    """The query of a log request makes no sense; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What of a log is wanted, and how; None is no limit. `stream` is "stdout", "stderr" or "" (both)."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: str = ""
    """A moment in the form of `canonical_time`, which compares as text."""
    stream: bytes = b""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a log file; `text` ends in a newline unless the record is `partial`."""

    time: bytes
    stream: bytes
    partial: bool
    text: bytes


def parse_options(query: Mapping[str, str], now: datetime) -> LogOptions:
    """The options in a log request's query. Raises BadLogOptions."""
    since = _since(query, now)
    stream = query.get("stream") or "All"
    if stream not in _STREAMS:
        known = ", ".join(f'"{name}"' for name in sorted(_STREAMS))
        raise BadLogOptions(f'stream: Unsupported value: "{stream}": supported values: {known}')
    return LogOptions(
        follow=_flag(query.get("follow", "")),
        previous=_flag(query.get("previous", "")),
        timestamps=_flag(query.get("timestamps", "")),
        tail_lines=_count(query, "tailLines", 0),
        limit_bytes=_count(query, "limitBytes", 1),
        since=since,
        stream=_STREAMS[stream],
    )


def canonical_time(text: str) -> str:
    """An RFC 3339 time in UTC with nine decimals, so that moments compare as texts do.

    Raises BadLogOptions.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadLogOptions(f'sinceTime: Invalid value: "{text}": must be an RFC 3339 time')
    base, fraction, zone = found.groups()
    moment = datetime.fromisoformat(base.upper() + ("+00:00" if zone in "Zz" else zone)).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{(fraction or '.')[1:10]:0<9}Z"


def parse_line(record: bytes) -> Line | None:
    """One record with its newline; None for something that is not one."""
    parts = record.split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    time, stream, tags, text = parts
    partial = tags.split(b":", 1)[0] == b"P"
    return Line(time, stream, partial, text.removesuffix(b"\n") if partial else text)


class Selector:
    """Turns records into what the client gets, remembering what a limit has used up."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit_bytes
        self._line_begins = True
        self._is_plain = not (options.since or options.stream)
        self._is_of_one_stream = bool(options.stream) and not (options.since or options.timestamps)
        self._since_second = options.since[:_SECOND_B].encode()

    def is_full(self) -> bool:
        """Whether `limit_bytes` is reached: nothing more will come."""
        return self._left == 0

    def select_all(self, records: bytes) -> bytes:
        """The client's share of several whole records."""
        if self._is_plain and self._line_begins and not any(mark in records for mark in _PARTIAL):
            if self._options.timestamps:
                return self._within_limit(b"".join(chain.from_iterable(_STAMPED.findall(records))))
            return self._within_limit(b"".join(_PLAIN.findall(records)))
        if self._is_of_one_stream and not any(mark in records for mark in _PARTIAL):
            return self._within_limit(b"".join(self._of_one_stream(records)))
        # Not splitlines: a carriage return ends no record.
        return b"".join(self.select(record + b"\n") for record in records.split(b"\n")[:-1])

    def _of_one_stream(self, records: bytes) -> Iterator[bytes]:
        """The texts of whole records of the one stream."""
        mark = self._options.stream + b" F"
        for record in records.split(b"\n")[:-1]:
            rest = record.partition(b" ")[2]
            if rest.startswith(mark):
                yield rest.split(b" ", 2)[-1] + b"\n"

    def select(self, record: bytes) -> bytes:
        """The client's share of one record, b"" for none."""
        line = parse_line(record)
        if line is None or self.is_full():
            return b""
        options = self._options
        if options.stream and line.stream != options.stream:
            return b""
        if options.since and self._is_before(line.time):
            return b""
        out = line.time + b" " + line.text if options.timestamps and self._line_begins else line.text
        self._line_begins = not line.partial
        return self._within_limit(out)

    def _within_limit(self, out: bytes) -> bytes:
        if self._left is not None:
            out = out[: self._left]
            self._left -= len(out)
        return out

    def _is_before(self, time: bytes) -> bool:
        """Whether a record is older than what is asked for; whole seconds mostly tell."""
        second = time[:_SECOND_B]
        if time.endswith(b"Z") and second != self._since_second:
            return second < self._since_second
        return canonical_time(time.decode("ascii", "replace")) < self._options.since


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines of `file` begin, in bytes."""
    end = file.seek(0, 2)
    if lines <= 0:
        return end
    position, wanted = end, lines
    while position > 0:
        start = max(position - _BLOCK, 0)
        file.seek(start)
        block = file.read(position - start)
        # The newline that ends the file ends its last line and begins none.
        at = len(block) - 1 if position == end and block.endswith(b"\n") else len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            wanted -= 1
            if wanted == 0:
                return start + at + 1
        position = start
    return 0


def _since(query: Mapping[str, str], now: datetime) -> str:
    seconds = _count(query, "sinceSeconds", 1)
    text = query.get("sinceTime") or ""
    if text and seconds is not None:
        raise BadLogOptions("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if seconds is not None:
        return canonical_time((now - timedelta(seconds=seconds)).isoformat())
    return canonical_time(text) if text else ""


def _count(query: Mapping[str, str], name: str, least: int) -> int | None:
    text = query.get(name) or ""
    if not text:
        return None
    value = parse_integer(text)
    if value is None:
        raise BadLogOptions(f"{name}: Invalid value: {show_value(text)}: must be an integer")
    if value < least:
        raise BadLogOptions(f"{name}: Invalid value: {value}: must be greater than or equal to {least}")
    return value


def _flag(text: str) -> bool:
    return text.lower() in ("1", "t", "true")
