"""What is left, and how little is too little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kubelet.rig import PLENTY
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.eviction.signals import (
    IMAGE_DISK,
    IMAGE_INODES,
    MEMORY,
    NODE_DISK,
    NODE_INODES,
    PIDS,
    SIGNALS,
    Observation,
    Pressure,
    Signal,
    crossed,
    format_amount,
    observe,
    thresholds,
)

CONFIG = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=Path("/r"), log_dir=Path("/l"))
LIMITS = thresholds(CONFIG)

TRANSITION_S = 300.0


@pytest.mark.parametrize(
    ("signal", "seen", "is_crossed"),
    [
        (MEMORY, Observation(100 << 20, 4 << 30), False),
        (MEMORY, Observation((100 << 20) - 1, 4 << 30), True),
        (NODE_DISK, Observation(100, 1000), False),
        (NODE_DISK, Observation(99, 1000), True),
        (NODE_INODES, Observation(50, 1000), False),
        (NODE_INODES, Observation(49, 1000), True),
        (IMAGE_DISK, Observation(150, 1000), False),
        (IMAGE_DISK, Observation(149, 1000), True),
        (IMAGE_INODES, Observation(49, 1000), True),
        (PIDS, Observation(99, 32768), True),
    ],
)
def test_the_defaults_are_upstreams(signal: Signal, seen: Observation, is_crossed: bool) -> None:
    assert (crossed(LIMITS, {signal: seen}) == [signal]) is is_crossed


def test_memory_comes_first_and_nothing_is_guessed() -> None:
    short = {signal: Observation(0, 1000) for signal in SIGNALS}
    assert crossed(LIMITS, short) == list(SIGNALS)
    assert SIGNALS[0] is MEMORY
    assert crossed(LIMITS, {}) == []
    assert crossed(LIMITS, PLENTY) == []


def test_a_condition_stays_for_a_while() -> None:
    pressure = Pressure(TRANSITION_S)
    assert pressure.conditions(0.0) == []
    pressure.note([NODE_DISK, NODE_INODES], 10.0)
    assert pressure.conditions(10.0 + TRANSITION_S - 1) == ["DiskPressure"]
    pressure.note([MEMORY], 20.0)
    assert pressure.conditions(20.0) == ["MemoryPressure", "DiskPressure"]
    assert pressure.conditions(20.0 + TRANSITION_S) == []


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("memory", 100 << 20, "100Mi"),
        ("memory", 104_857_601, "104857601"),
        ("ephemeral-storage", 1536, "1536"),
        ("inodes", 50_000, "50k"),
        ("pids", 99, "99"),
        ("memory", 0, "0"),
    ],
)
def test_amounts_as_upstream_writes_them(resource: str, amount: int, text: str) -> None:
    assert format_amount(resource, amount) == text


def test_this_machine(tmp_path: Path) -> None:
    seen = observe(tmp_path, tmp_path, Path("/proc"))
    assert {MEMORY, NODE_DISK, IMAGE_DISK, PIDS} <= seen.keys()
    assert all(0 <= found.available <= found.capacity for found in seen.values())
    assert IMAGE_DISK not in observe(tmp_path, None, Path("/proc"))


def test_thresholds_are_the_configurations() -> None:
    found = thresholds(replace(CONFIG, eviction_hard={"memory.available": "7", "imagefs.available": "1%"}))
    assert found[MEMORY].of(100) == 7
    assert found[IMAGE_DISK].of(1000) == 10
