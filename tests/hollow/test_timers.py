"""One timer for many moments."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wherry.hollow.timers import PORTION, SWEEP, Timers
from wherry.kit.clock import FakeClock, Timer


async def test_alarms_go_off_in_order_and_not_when_called_off() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    heard: list[str] = []
    timers.at(2, lambda: heard.append("second"))
    timers.at(1, lambda: heard.append("first"))
    timers.at(2, lambda: heard.append("third"))
    timers.at(1.5, lambda: heard.append("never")).cancel()
    assert len(timers) == 3
    await clock.advance(1)
    assert heard == ["first"]
    await clock.advance(1)
    assert heard == ["first", "second", "third"]


async def test_many_of_one_moment_go_off_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    timers = Timers(clock)
    heard: list[int] = []
    for number in range(3 * PORTION):
        timers.at(1, lambda number=number: heard.append(number))  # type: ignore[misc]
    portions: list[int] = []
    call = clock.call_later

    def call_later(delay_s: float, callback: Callable[[], None]) -> Timer:
        portions.append(len(heard))
        return call(delay_s, callback)

    monkeypatch.setattr(clock, "call_later", call_later)
    await clock.advance(1)
    assert heard == list(range(3 * PORTION))
    assert portions == [PORTION, 2 * PORTION]


async def test_what_is_called_off_is_not_kept_until_its_time() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    heard: list[str] = []
    timers.at(1, lambda: heard.append("kept"))
    for _ in range(10 * SWEEP):
        timers.at(1e6, lambda: heard.append("never")).cancel()
    assert timers.size <= 2 * SWEEP
    await clock.advance(1)
    assert heard == ["kept"]


async def test_one_that_fails_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    timers = Timers(clock)
    heard: list[int] = []
    timers.at(1, lambda: heard.append(1 // 0))
    timers.at(1, lambda: heard.append(2))
    await clock.advance(1)
    assert heard == [2]
    assert "a timer failed" in caplog.text


async def test_nothing_goes_off_after_the_end() -> None:
    clock = FakeClock()
    timers = Timers(clock)
    heard: list[int] = []
    timers.at(1, lambda: heard.append(1))
    timers.close()
    timers.at(1, lambda: heard.append(2))
    await clock.advance(5)
    assert heard == []
