"""Time by hand, and the machine's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from wherry.kit.clock import FakeClock, SystemClock, settle


async def test_fake_time_moves_only_when_told_to() -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    await clock.advance(1.5)
    assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=1.5)
    assert clock.monotonic() == 1.5


async def test_timers_fire_in_order_at_their_time() -> None:
    clock = FakeClock()
    fired: list[tuple[str, float]] = []

    def note(name: str) -> None:
        fired.append((name, clock.monotonic()))

    def first() -> None:
        note("a")
        clock.call_later(1, lambda: note("b"))

    clock.call_later(3, lambda: note("c"))
    clock.call_later(1, first)
    clock.call_later(2, lambda: note("never")).cancel()
    clock.call_later(3, lambda: note("d"))
    await clock.advance(2.5)
    assert fired == [("a", 1), ("b", 2)]
    await clock.advance(0.5)
    assert fired[2:] == [("c", 3), ("d", 3)]


async def test_sleepers_wake_when_time_has_come() -> None:
    clock = FakeClock()
    woken: list[float] = []

    async def sleep(delay_s: float) -> None:
        await clock.sleep(delay_s)
        woken.append(clock.monotonic())

    tasks = [asyncio.ensure_future(sleep(delay)) for delay in (2, 1, 50)]
    await settle()
    await clock.advance(10)
    assert woken == [1, 2]
    tasks[2].cancel()
    await asyncio.wait(tasks)
    await clock.advance(100)
    assert woken == [1, 2]


async def test_system_clock_is_utc_and_keeps_its_timers() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    before = clock.monotonic()
    fired = asyncio.Event()
    clock.call_later(0, fired.set)
    await fired.wait()
    await clock.sleep(0)
    assert clock.monotonic() >= before
