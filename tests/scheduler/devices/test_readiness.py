"""Whether devices are ready, failed, or overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wherry.objects.meta import Object
from wherry.scheduler.devices.readiness import failure_of, has_conditions, is_hopeless, is_overdue, is_ready

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DEVICE = {"driver": "d", "pool": "p", "device": "a"}
WAITS = {**DEVICE, "bindingConditions": ["ready", "linked"], "bindingFailureConditions": ["broken"]}


def claim(told: dict[str, str] | None, *more: Object, **result: Any) -> Object:
    """A claim with a device of which its driver told these conditions, None for nothing."""
    why = {"reason": "Why", "message": "so"}
    conditions = [{"type": kind, "status": status, **why} for kind, status in (told or {}).items()]
    devices = [] if told is None else [{**DEVICE, "conditions": conditions}]
    allocation = {
        "devices": {"results": [{**WAITS, **result}, *more]},
        "allocationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {"metadata": {"name": "c"}, "status": {"allocation": allocation, "devices": devices}}


READY = {"ready": "True", "linked": "True"}
FAILED = 'claim c binding failed: reason=Why, message="so"'


@pytest.mark.parametrize(
    ("found", "ready", "failure"),
    [
        (claim(None), False, ""),
        (claim({}), False, ""),
        (claim({"ready": "True"}), False, ""),
        (claim({"ready": "True", "linked": "False"}), False, ""),
        (claim(READY), True, ""),
        (claim({**READY, "broken": "False"}), True, ""),
        (claim({"broken": "True"}), False, FAILED),
        (claim({**READY, "broken": "True"}), True, FAILED),
        (claim({"other": "True", **READY}), True, ""),
        (claim(READY, {**WAITS, "device": "b"}), False, ""),
        (claim(READY, {**DEVICE, "device": "b"}), True, ""),
        (claim(None, bindingConditions=[]), True, ""),
        ({"metadata": {"name": "c"}}, True, ""),
    ],
)
def test_what_drivers_say(found: Object, ready: bool, failure: str) -> None:
    assert (is_ready(found), failure_of(found)) == (ready, failure)


def test_a_claim_is_overdue_when_its_devices_took_too_long() -> None:
    waits, plain = claim(None), claim(None, bindingConditions=[])
    assert (has_conditions(waits), has_conditions(plain)) == (True, False)
    undated: Object = {
        **waits,
        "status": {"allocation": {"devices": waits["status"]["allocation"]["devices"]}},
    }
    for seconds, late in ((600, False), (601, True)):
        now = BEGAN + timedelta(seconds=seconds)
        assert is_overdue(waits, now, 600) is late
        assert is_hopeless(waits, now, 600) is late
        assert not is_overdue(plain, now, 600)
        assert not is_overdue(undated, now, 600)
        assert not is_hopeless(claim(READY), now, 600)
        assert is_hopeless(claim({"broken": "True"}), now, 600)
