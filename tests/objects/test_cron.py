"""Schedules and Go durations, held against what robfig/cron v3 and Go's time.ParseDuration say of them."""

from __future__ import annotations

import pytest

from wherry.objects.cron import schedule_error
from wherry.objects.go_durations import parse_go_duration


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-12 1,15 JAN-mar sun",
        "0 0 ? * *",
        "*-9 * * * *",
        "1,,2 * * * *",
        "+5 * * * *",
        "5/15 * * * *",
        "0 0 * * 0-6",
        "@hourly",
        "@every 5m",
        "@every -5m",
        "@every 1h30m10.5s",
        "TZ=Etc/UTC 0 5 * * *",
        "CRON_TZ=Etc/UTC   @daily",
    ],
)
def test_good_schedules(schedule: str) -> None:
    assert schedule_error(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        (" @daily", "expected exactly 5 fields, found 1: [@daily]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("\u0663 * * * *", 'failed to parse int from \u0663: strconv.Atoi: parsing "\u0663": invalid syntax'),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("0 0 * * 7", "end of range (7) above maximum (6): 7"),
        ("0 0 * * MON-7", "end of range (7) above maximum (6): MON-7"),
        ("@never", "unrecognized descriptor: @never"),
        ("@Daily", "unrecognized descriptor: @Daily"),
        ("@every foo", 'failed to parse duration @every foo: time: invalid duration "foo"'),
        ("@every 1d", 'failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"'),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
        ("TZ=No/Where * * * * *", "provided bad location No/Where: unknown time zone No/Where"),
    ],
)
def test_bad_schedules(schedule: str, error: str) -> None:
    assert schedule_error(schedule) == error


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("-0", 0),
        ("5s", 5 * 10**9),
        ("1.5h", 5400 * 10**9),
        (".5s", 5 * 10**8),
        ("1.s", 10**9),
        ("-1m2ms", -(60 * 10**9 + 2 * 10**6)),
        ("3\u00b5s", 3000),
        ("3\u03bcs", 3000),
        ("9223372036854775807ns", (1 << 63) - 1),
        ("-9223372036854775808ns", -(1 << 63)),
    ],
)
def test_durations(text: str, nanoseconds: int) -> None:
    assert parse_go_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "3",
        "s",
        ".",
        ".s",
        " 5s",
        "5 s",
        "5s ",
        "1e3s",
        "\u0663s",
        "9223372036854775808ns",
        "300000000h",
    ],
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"^time: "):
        parse_go_duration(text)
