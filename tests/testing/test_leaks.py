"""Hundreds of clusters in the workers of one test run leave nothing behind, and take seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.fixture_suite import TESTS, WORKERS, run_suite
from tests.timing import spent

pytestmark = pytest.mark.slow  # three hundred tests of its own


def test_three_hundred_tests_leave_nothing_behind(tmp_path: Path) -> None:
    with spent() as took:
        ran = run_suite(tmp_path)
    assert sum(worker.tests for worker in ran.workers) == TESTS
    assert len(ran.workers) == WORKERS
    for worker in ran.workers:
        assert worker.last == worker.first
        held = {kind for kind, count in worker.last.items() if count}
        assert held == {"files", "threads", "python threads"}
    each_s = min(worker.cpu_s / worker.tests for worker in ran.workers) / took.slowness
    assert each_s < 0.25, "a test of one cluster is a matter of milliseconds"
    assert ran.left == []
