"""What tests say of times holds on slower machines, and still tells what is too slow from what is not."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests import timing
from tests.timing import LongestTurn, least, least_awaited, slowness, spent

CLOCKS = re.compile(r"\b(perf_counter|thread_time|process_time)(_ns)?\(")
WAITS = re.compile(
    r"\basyncio\.timeout\([1-9]|\b(wait_for|eventually)\(.*, (timeout_s=)?[1-5]?[0-9](\.[0-9]+)?\)$",
    re.MULTILINE,
)
BLOCKING = re.compile(
    r"^(?!.*(code=1|try_kubectl|attempt\()).*("
    r"--timeout=[1-5]?[0-9]s"
    r"|\b(communicate|urlopen|create_connection)\(([^()]*, )?timeout=[1-5]?[0-9](\.[0-9]+)?\)"
    r"|\.wait\((timeout=)?[1-5]?[0-9](\.[0-9]+)?\)).*$",
    re.MULTILINE,
)
"""The same of threads, processes and kubectl, but where what is waited for is not to come."""
ONE_SHOT = re.compile(r"assert .*\.(wall_s|thread_s|process_s|cpu_s)\b.*[<>].*")
ONCE = frozenset({"hollow/test_scale.py"})
"""Minutes of work, during which whatever slows the machine down for a moment is little."""
NOT_WAITED_FOR = frozenset({"live/clients/test_helm.py", "chaos/verdict.py"})
"""Where a time-out is what the client is to run into, and where one look of many has one."""
SIMULATED = frozenset({"controllers/bench.py", "kit/test_simulated_loop.py"})
"""Where time-outs are what is tested, in time that does not pass by itself."""
WITH_CLOCKS = frozenset({"tests/timing.py", "tests/test_timing.py", "tests/growth/meter.py"})


def busy(seconds: float) -> None:
    """Work for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_a_slower_machine_is_given_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REFERENCE_S", 1e-4)
    assert slowness() > 5
    with spent() as took:
        busy(0.02)
    assert 0 < took.thread_s < 0.01
    assert took.process_s < 0.01


def test_a_faster_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REFERENCE_S", 10.0)
    assert slowness() == 1
    with spent() as took:
        busy(0.02)
    assert took.thread_s >= 0.02
    assert took.wall_s > 0.0199, "clocks differ by microseconds"


def test_waiting_is_no_work_and_a_turn_counts_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "REFERENCE_S", 10.0)
    turn = LongestTurn()
    with spent() as took:
        time.sleep(0.1)
    turn.end()
    assert took.wall_s > 0.099
    assert turn.longest_s < 0.1
    turn.begin()
    busy(0.15)
    turn.end()
    assert turn.longest_s > 0.149


async def test_the_least_of_several_tries_counts() -> None:
    taken = iter([0.3, 0.2, 0.4, 0.0])
    assert least(lambda: next(taken), 0.1) == 0.2
    assert least(lambda: next(taken), 0.1) == 0.0

    async def measure() -> float:
        return next(more)

    more = iter([0.3, 0.05, 0.0])
    assert await least_awaited(measure, 0.1) == 0.05


def test_no_other_test_holds_a_clock_against_a_limit() -> None:
    root = Path(__file__).parent.parent
    found = {
        str(path.relative_to(root))
        for path in root.glob("tests/**/*.py")
        if CLOCKS.search(path.read_text(encoding="utf-8"))
    }
    assert found <= WITH_CLOCKS, "measure with tests.timing"


def test_what_is_held_against_a_limit_is_the_least_of_several() -> None:
    """One measurement may be anybody's fault."""
    root = Path(__file__).parent
    found = {
        f"{path.relative_to(root)}: {match[0]}"
        for path in root.rglob("*.py")
        if path.relative_to(root).as_posix() not in {"test_timing.py", *ONCE}
        for match in ONE_SHOT.finditer(path.read_text(encoding="utf-8"))
    }
    assert not found, "measure with `least` or `least_awaited` of tests.timing"


def test_patience_is_the_same_everywhere() -> None:
    root = Path(__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"^PATIENCE_S\b.*=", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found - SIMULATED == {"timing.py"}


def test_no_test_is_impatient() -> None:
    root = Path(__file__).parent
    found = {
        f"{path.relative_to(root)}: {match[0]}"
        for path in root.rglob("*.py")
        if path.relative_to(root).as_posix() not in SIMULATED | NOT_WAITED_FOR
        for pattern in (WAITS, BLOCKING)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert not found, "wait for PATIENCE_S of tests.timing"
