"""Who ends when, and what is remembered of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.kubelet.config import Period
from wherry.kubelet.shutdown.periods import group_pods, two_periods
from wherry.kubelet.shutdown.record import NAME, ShutdownRecord, read_record, write_record
from wherry.objects.meta import Object

CRITICAL = 2_000_000_000


@pytest.mark.parametrize(
    ("whole_s", "critical_s", "periods"),
    [
        (30, 10, ((0, 20), (CRITICAL, 10))),
        (30, 0, ((0, 30),)),
        (30, 30, ((0, 0), (CRITICAL, 30))),
        (0, 0, ()),
        (10, 20, ()),
    ],
)
def test_two_periods(whole_s: int, critical_s: int, periods: tuple[tuple[int, int], ...]) -> None:
    assert two_periods(whole_s, critical_s) == periods


def pod(priority: int | None) -> Object:
    return {"spec": {} if priority is None else {"priority": priority}}


def test_pods_end_with_the_period_they_have_reached() -> None:
    periods = [Period(100_000, 10), Period(0, 60), Period(10_000, 20)]
    pods = {
        name: pod(value)
        for name, value in (("a", None), ("b", 9_999), ("c", 10_000), ("d", 10**9), ("e", -5))
    }
    found = group_pods(list(pods.values()), periods)
    assert [(period.priority, period.seconds) for period, _ in found] == [
        (0, 60),
        (10_000, 20),
        (100_000, 10),
    ]
    assert [group for _, group in found] == [[pods["a"], pods["b"], pods["e"]], [pods["c"]], [pods["d"]]]


def test_what_is_remembered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_record(tmp_path) == ShutdownRecord()
    begun = ShutdownRecord("2026-01-01T00:00:00Z", "", "boot")
    write_record(tmp_path, begun)
    assert read_record(tmp_path) == begun
    assert begun.is_under_way("boot")
    assert not begun.is_under_way("another")
    assert not ShutdownRecord("x", "y", "boot").is_under_way("boot")
    for text in ("[", "[]", '"x"'):
        (tmp_path / NAME).write_text(text)
        assert read_record(tmp_path) == ShutdownRecord()
    assert "is not heeded" in caplog.text
