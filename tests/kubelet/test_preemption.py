"""Who makes room for a critical pod: the fewest, and of those that matter least."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.kubelet.eviction.ranking import is_critical
from wherry.kubelet.pod import SOURCE, as_from_api
from wherry.kubelet.preemption import find_need, is_preemptable, plan_preemption
from wherry.objects.meta import Object

ROOM = {"pods": "10", "cpu": "4", "memory": "8Gi"}


def pod(name: str, *, priority: int = 0, static: bool = False, limited: bool = False, **asked: str) -> Object:
    resources: dict[str, Any] = {"requests": asked, **({"limits": asked} if limited else {})}
    return {
        "metadata": {"name": name, "uid": name, "annotations": {SOURCE: "file"} if static else {}},
        "spec": {"priority": priority, "containers": [{"name": "c", "resources": resources}]},
        "status": {},
    }


CRITICAL = pod("critical", static=True, memory="4Gi", cpu="1")
BEST = pod("best")
BURST = pod("burst", memory="3Gi")
BURST_SMALL = pod("burst-small", memory="2Gi")
SURE = pod("sure", limited=True, memory="2Gi", cpu="1")
OTHER_STATIC = pod("other-static", static=True, memory="1Gi")

CASES: list[tuple[list[Object], list[str] | None]] = [
    ([BEST], []),
    ([BURST, BURST_SMALL], ["burst-small"]),
    ([BURST, SURE], ["burst"]),
    ([BURST, BURST_SMALL, SURE], ["burst"]),
    ([OTHER_STATIC, SURE, pod("more", limited=True, memory="2Gi", cpu="1")], ["sure"]),
    ([pod("system", priority=2_000_000_000, memory="7Gi")], None),
]


@pytest.mark.parametrize(("others", "going"), CASES)
def test_who_goes(others: list[Object], going: list[str] | None) -> None:
    need = find_need(CRITICAL, others, ROOM)
    found = plan_preemption(CRITICAL, others, need)
    assert (None if found is None else [one["metadata"]["name"] for one in found]) == going


def test_a_place_among_all_pods_costs_one_that_asked_for_nothing() -> None:
    others = [pod(f"p{number}") for number in range(9)] + [SURE]
    found = plan_preemption(CRITICAL, others, find_need(CRITICAL, others, ROOM))
    assert found is not None
    assert [one["metadata"]["name"] for one in found] == ["p0"]


def test_who_may_have_to_go() -> None:
    assert is_critical(CRITICAL)
    assert not is_critical(as_from_api(CRITICAL))
    assert is_preemptable(BURST, CRITICAL)
    assert not is_preemptable(OTHER_STATIC, CRITICAL)
    assert is_preemptable(pod("low", priority=1), pod("high", priority=2))
    assert not is_preemptable(pod("high", priority=2), pod("low", priority=1))
