from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from wherry.api.core.pod_conditions import find_condition, is_available, is_ready, is_terminal

NOW = datetime(2026, 1, 1, 0, 1, 0, tzinfo=UTC)


def ready(status: str = "True", since: str | None = "2026-01-01T00:00:30Z") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": since}]}}


@pytest.mark.parametrize(
    ("pod", "min_ready_s", "is_ready_now", "is_available_now"),
    [
        ({}, 0, False, False),
        (ready("False"), 0, False, False),
        (ready(), 0, True, True),
        (ready(), 30, True, True),
        (ready(), 31, True, False),
        (ready(since=None), 1, True, False),
    ],
)
def test_ready_and_available(
    pod: dict[str, Any], min_ready_s: int, is_ready_now: bool, is_available_now: bool
) -> None:
    assert is_ready(pod) == is_ready_now
    assert is_available(pod, min_ready_s, NOW) == is_available_now


def test_finding_and_ends() -> None:
    assert find_condition({"status": {}}, "Ready") is None
    assert is_terminal({"status": {"phase": "Failed"}})
    assert not is_terminal({"status": {"phase": "Running"}})
