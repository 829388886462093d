"""Times and spans anybody may have written: what comes of them is a time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wherry.controllers
from wherry.objects.meta import later, parse_time

ADDED = re.compile(r"[+-] timedelta\(")


@pytest.mark.parametrize(
    ("moment", "seconds", "expected"),
    [
        ("2026-01-01T00:00:00Z", 1.5, "2026-01-01T00:00:01.500000+00:00"),
        ("2026-01-01T00:00:00Z", -1, "2025-12-31T23:59:59+00:00"),
        ("9999-12-31T23:59:59Z", 60, "9999-12-31T23:59:59.999999+00:00"),
        ("2026-01-01T00:00:00Z", 2**63, "9999-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00Z", -1, "0001-01-01T00:00:00+00:00"),
    ],
)
def test_no_time_lies_after_the_last_or_before_the_first(moment: str, seconds: float, expected: str) -> None:
    assert later(parse_time(moment), seconds).isoformat() == expected


def test_no_controller_adds_spans_to_times_by_hand() -> None:
    (root,) = wherry.controllers.__path__
    assert [str(path) for path in Path(root).rglob("*.py") if ADDED.search(path.read_text())] == []
