"""A call: what is worked on with it, and what it keeps."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from tests.apiserver.rig import ADMIN
from wherry.apiserver.call import Call
from wherry.apiserver.request import request_info

INFO = request_info("GET", "/api/v1/pods", {})


@pytest.mark.parametrize(
    ("body", "weight"), [(None, 0), (b"", 0), (b"1234", 4), ({"a": 1}, len('{"a":1}')), ([], 2)]
)
def test_a_calls_weight_is_that_of_its_body(body: Any, weight: int) -> None:
    assert Call(INFO, ADMIN, {}, body, "application/json", {}).weight == weight


def test_a_call_without_a_body_keeps_nothing_for_it() -> None:
    """Watches are calls, and there are thousands at once."""
    calls = [Call(INFO, ADMIN, {}, None, "application/json", {}) for _ in range(100)]
    tracemalloc.start()
    try:
        assert sum(call.weight for call in calls) == 0
        assert tracemalloc.get_traced_memory()[0] < 100 * 100
    finally:
        tracemalloc.stop()
