"""Spans of time: what is taken, and one clear error for what is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from wherry.testing import Cluster
from wherry.testing.spans import LONGEST_S, SpanError, seconds


def test_what_is_a_span() -> None:
    assert [seconds(span) for span in (0, 1.5, True, "2h30m", "1.5d", timedelta(minutes=1), -2)] == [
        0, 1.5, 1, 9000, 129600, 60, -2,
    ]  # fmt: skip
    assert seconds("36525d") == LONGEST_S


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (float("inf"), "a span of time of inf is too long; the longest is 36525d"),
        (float("-inf"), "a span of time of -inf is too long"),
        (float("nan"), "nan is no span of time; write it as seconds, a timedelta, or text such as 90s"),
        (10**400, "a span of time of a number of 1329 bits is too long"),
        ("36526d", "a span of time of 36526d is too long"),
        ("999999999999w" * 10, "is too long"),
        (timedelta.max, "a span of time of 999999999 days, 23:59:59.999999 is too long"),
        ("-", "'-' is no span of time"),
        ("--5s", "'--5s' is no span of time"),
        (None, "a NoneType is no span of time"),
        ([], "a list is no span of time"),
        ("inf", "'inf' is no span of time"),
    ],
)
def test_what_is_none(span: Any, said: str) -> None:
    with pytest.raises(SpanError, match=re.escape(said)):
        seconds(span)


def test_no_way_in_waits_for_ever() -> None:
    with Cluster(controllers="none", scheduler=False) as c:
        ways: list[Callable[[Any], Any]] = [
            c.clock.advance,
            lambda span: c.clock.run_until(lambda: False, span),
            lambda span: c.wait("configmap/none", timeout=span),
        ]
        before = c.clock.now()
        for way in ways:
            for span in (float("inf"), float("nan"), 10**400, None):
                with pytest.raises(SpanError):
                    way(span)
        assert c.clock.now() == before
