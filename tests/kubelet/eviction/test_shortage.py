"""Hard and soft thresholds, and how much must be left until they are met no longer."""

from __future__ import annotations

from dataclasses import replace

from tests.kubelet.test_node import CONFIG
from wherry.kubelet.eviction.shortage import Thresholds
from wherry.kubelet.eviction.signals import MEMORY, NODE_DISK, Observation, Signal

GI = 1 << 30


def left(signal: Signal, gigabytes: float) -> dict[Signal, Observation]:
    return {signal: Observation(int(gigabytes * GI), 100 * GI)}


def test_a_hard_threshold_counts_at_once_and_before_a_soft_one() -> None:
    config = replace(
        CONFIG,
        eviction_hard={"memory.available": "1Gi"},
        eviction_soft={"memory.available": "2Gi"},
        eviction_soft_grace_s={"memory.available": 30.0},
    )
    made = Thresholds(config)
    first = made.judge(left(MEMORY, 1.5), 0.0)
    assert (first.met, first.shown) == ([], [MEMORY])
    hard = made.judge(left(MEMORY, 0.5), 10.0)
    assert (hard.met, hard.hard) == ([MEMORY], frozenset({MEMORY}))
    assert hard.limits[MEMORY].of(GI) == GI
    soft = made.judge(left(MEMORY, 1.5), 30.0)
    assert (soft.met, soft.hard) == ([MEMORY], frozenset())
    assert soft.limits[MEMORY].of(GI) == 2 * GI
    assert made.judge(left(MEMORY, 3), 40.0).shown == []
    assert made.judge(left(MEMORY, 1.5), 50.0).met == [], "it waits anew"


def test_more_must_be_left_until_a_threshold_is_met_no_longer() -> None:
    config = replace(
        CONFIG,
        eviction_hard={"nodefs.available": "10%"},
        eviction_minimum_reclaim={"nodefs.available": "5Gi"},
    )
    made = Thresholds(config)
    expected = [(12, False), (9, True), (12, True), (15, False), (12, False)]
    assert [bool(made.judge(left(NODE_DISK, size), 0.0).met) for size, _ in expected] == [
        is_met for _, is_met in expected
    ]
