"""Log records, and which part of a log was asked for."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from wherry.kubelet.server.logs import (
    BadLogOptions,
    Line,
    LogOptions,
    Selector,
    canonical_time,
    parse_line,
    parse_options,
    tail_offset,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
A = b"2026-01-01T11:59:00.5Z stdout F a\n"
B1 = b"2026-01-01T11:59:50.000000001Z stderr P b-\n"
B2 = b"2026-01-01T11:59:51Z stderr F b\n"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (A, Line(b"2026-01-01T11:59:00.5Z", b"stdout", False, b"a\n")),
        (B1, Line(b"2026-01-01T11:59:50.000000001Z", b"stderr", True, b"b-")),
        (b"t stdout F:x  two  blanks \n", Line(b"t", b"stdout", False, b" two  blanks \n")),
        (b"t stdout F \n", Line(b"t", b"stdout", False, b"\n")),
        (b"garbage\n", None),
        (b"t nowhere F text\n", None),
    ],
)
def test_records(record: bytes, expected: Line | None) -> None:
    assert parse_line(record) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (LogOptions(), b"a\nb-b\n"),
        (LogOptions(timestamps=True), A[:23] + b"a\n" + B1[:31] + b"b-b\n"),
        (LogOptions(stream=b"stdout"), b"a\n"),
        (LogOptions(since=canonical_time("2026-01-01T11:59:50Z")), b"b-b\n"),
        (LogOptions(since=canonical_time("2026-01-01T12:59:50.5+01:00")), b"b\n"),
        (LogOptions(limit_bytes=3), b"a\nb"),
    ],
)
def test_selection(options: LogOptions, expected: bytes) -> None:
    selector = Selector(options)
    assert b"".join(selector.select(record) for record in (A, B1, B2)) == expected
    assert selector.is_full() == (options.limit_bytes is not None)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(0, b""), (1, b"c\n"), (2, b"bb\nc\n"), (3, b"a\nbb\nc\n"), (9, b"a\nbb\nc\n")],
)
def test_tails(lines: int, expected: bytes) -> None:
    file = io.BytesIO(b"a\nbb\nc\n")
    file.seek(tail_offset(file, lines))
    assert file.read() == expected


def test_tails_across_blocks() -> None:
    content = b"".join(b"%06d\n" % number for number in range(30_000))
    file = io.BytesIO(content)
    for lines in (1, 9_362, 9_363, 20_000, 29_999, 30_000):
        assert tail_offset(file, lines) == len(content) - 7 * lines
    assert tail_offset(io.BytesIO(b""), 3) == 0
    assert tail_offset(io.BytesIO(b"no newline"), 1) == 0


def test_options() -> None:
    query = {"follow": "true", "timestamps": "1", "tailLines": "5", "limitBytes": "7", "stream": "Stderr"}
    options = parse_options({**query, "sinceSeconds": "90"}, NOW)
    assert options == LogOptions(
        follow=True,
        timestamps=True,
        tail_lines=5,
        limit_bytes=7,
        since="2026-01-01T11:58:30.000000000Z",
        stream=b"stderr",
    )
    assert parse_options({}, NOW) == LogOptions()


@pytest.mark.parametrize(
    "query",
    [
        {"tailLines": "-1"},
        {"tailLines": "x"},
        {"limitBytes": "0"},
        {"sinceSeconds": "0"},
        {"sinceTime": "yesterday"},
        {"sinceTime": "2026-01-01T00:00:00Z", "sinceSeconds": "1"},
        {"stream": "stdout"},
    ],
)
def test_bad_options(query: dict[str, str]) -> None:
    with pytest.raises(BadLogOptions):
        parse_options(query, NOW)


def test_times_compare_as_texts() -> None:
    moments = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.123456789Z"]
    assert sorted(moments, key=canonical_time) == moments
    assert canonical_time("2026-01-01T01:00:00+01:00") == canonical_time(moments[0])


MIXED = (
    b"2026-01-01T00:00:00Z stdout F one\n"
    b"2026-01-01T00:00:01.5Z stderr F two stdout F three\n"
    b"no record\n"
    b"\n"
    b"2026-01-01T00:00:02Z stdout F \n"
    b"2026-01-01T00:00:02Z stdout F \r 50%\r100%\n"
    b"2026-01-01T00:00:02Z stderr F:tag four\n"
)
PIECES = MIXED + b"2026-01-01T00:00:03Z stdout P fi\n2026-01-01T00:00:03Z stdout F ve\n" + MIXED


@pytest.mark.parametrize("records", [MIXED, PIECES])
@pytest.mark.parametrize(
    "options",
    [
        LogOptions(),
        LogOptions(timestamps=True),
        LogOptions(limit_bytes=9),
        LogOptions(timestamps=True, limit_bytes=30),
        LogOptions(stream=b"stderr"),
        LogOptions(since="2026-01-01T00:00:01.500000000Z"),
        LogOptions(since="2026-01-01T00:00:01.600000000Z", timestamps=True),
    ],
)
def test_many_records_at_a_time_are_the_same_as_one_by_one(records: bytes, options: LogOptions) -> None:
    one, many = Selector(options), Selector(options)
    expected = b"".join(one.select(record + b"\n") for record in records.split(b"\n")[:-1])
    assert many.select_all(records) == expected
    assert many.is_full() == one.is_full()
    assert expected or options.stream


@pytest.mark.parametrize("options", [LogOptions(), LogOptions(timestamps=True), LogOptions(stream=b"stdout")])
def test_a_carriage_return_ends_no_record(options: LogOptions) -> None:
    """Programs that show how far they are write one line over itself."""
    records = b"2026-01-01T00:00:00Z stdout F 50%\r100%\n" + PIECES
    assert b"50%\r100%\n" in Selector(options).select_all(records)
