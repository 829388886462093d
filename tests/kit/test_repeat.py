"""A repeater coalesces, never overlaps, tries again later each time, and comes again when its time is."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from random import Random

import pytest

from wherry.kit.clock import FakeClock, settle
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks


class Expected(Exception):
    """What the work is allowed to fail with."""


class Work:
    """Counts its runs; raises what is in `failures`, answers what is in `answers`, in turn."""

    def __init__(self) -> None:
        self.runs = 0
        self.running = 0
        self.failures: list[Exception] = []
        self.answers: list[float | None] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> float | None:
        self.runs += 1
        self.running += 1
        assert self.running == 1, "two runs at once"
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
            return self.answers.pop(0) if self.answers else None
        finally:
            self.running -= 1


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks("test")
    yield tasks
    await tasks.close()


@pytest.fixture
def repeater(work: Work, tasks: Tasks, clock: FakeClock) -> Repeater:
    return Repeater("work", work, tasks, clock, first_s=1.0, longest_s=4.0, expected=(Expected,))


async def test_pokes_that_come_together_cost_one_run(repeater: Repeater, work: Work) -> None:
    for _ in range(5):
        repeater.poke()
    await settle()
    assert work.runs == 1
    assert repeater.is_idle


async def test_a_poke_during_a_run_brings_exactly_one_more(repeater: Repeater, work: Work) -> None:
    work.gate.clear()
    repeater.poke()
    await settle()
    repeater.poke()
    repeater.poke()
    work.gate.set()
    await settle()
    assert work.runs == 2


async def test_failures_are_tried_again_later_each_time(
    repeater: Repeater, work: Work, clock: FakeClock
) -> None:
    work.failures = [Expected("no") for _ in range(4)]
    repeater.poke()
    await settle()
    ran_at = [0.0]
    for _ in range(120):
        before = work.runs
        await clock.advance(0.125)
        if work.runs > before:
            ran_at.append(clock.monotonic())
    assert ran_at == [0.0, 1.0, 3.0, 7.0, 11.0]
    assert repeater.succeeded.is_set()


async def test_a_success_forgets_the_failures(repeater: Repeater, work: Work, clock: FakeClock) -> None:
    work.failures = [Expected("no"), Expected("no")]
    repeater.poke()
    await settle()
    await clock.advance(3.0)
    assert work.runs == 3
    work.failures = [Expected("no")]
    repeater.poke()
    await settle()
    await clock.advance(1.0)
    assert work.runs == 5


async def test_a_poke_does_not_shorten_the_wait_but_hurry_does(
    repeater: Repeater, work: Work, clock: FakeClock
) -> None:
    work.failures = [Expected("no")]
    repeater.poke()
    await settle()
    repeater.poke()
    await clock.advance(0.9)
    assert work.runs == 1
    repeater.hurry()
    await settle()
    assert work.runs == 2
    await clock.advance(10.0)
    assert work.runs == 2


async def test_what_nobody_expected_is_told_counted_and_tried_again(
    repeater: Repeater, work: Work, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    work.failures = [RuntimeError("a fault")]
    repeater.poke()
    await settle()
    await clock.advance(1.0)
    assert work.runs == 2
    assert repeater.faults == 1
    assert [(r.levelno, bool(r.exc_info)) for r in caplog.records] == [(logging.ERROR, True)]
    assert "a fault" in caplog.text


async def test_of_two_wishes_for_later_the_earliest_holds(
    repeater: Repeater, work: Work, clock: FakeClock
) -> None:
    repeater.within(5.0)
    repeater.within(2.0)
    repeater.within(9.0)
    await clock.advance(2.0)
    assert work.runs == 1
    await clock.advance(20.0)
    assert work.runs == 1


async def test_the_work_may_ask_to_be_done_again(repeater: Repeater, work: Work, clock: FakeClock) -> None:
    work.answers = [3.0, None]
    repeater.poke()
    await settle()
    await clock.advance(3.0)
    assert work.runs == 2


async def test_delays_are_spread_but_never_longer(work: Work, tasks: Tasks, clock: FakeClock) -> None:
    repeater = Repeater("work", work, tasks, clock, first_s=1.0, longest_s=4.0, random=Random(1))
    work.failures = [RuntimeError("x")]
    repeater.poke()
    await settle()
    await clock.advance(0.49)
    assert work.runs == 1
    await clock.advance(0.51)
    assert work.runs == 2


async def test_closing_cancels_a_run_and_forgets_what_was_owed(
    repeater: Repeater, work: Work, clock: FakeClock
) -> None:
    work.gate.clear()
    repeater.poke()
    repeater.within(1.0)
    await settle()
    await repeater.close()
    assert work.running == 0
    repeater.poke()
    repeater.within(1.0)
    await clock.advance(10.0)
    assert work.runs == 1
    await repeater.close()


async def test_a_closed_one_keeps_nobody_alive() -> None:
    class Holder:
        def __init__(self) -> None:
            self.repeater = Repeater("work", self.work, Tasks("test"), FakeClock())

        async def work(self) -> None: ...

    holder = Holder()
    await holder.repeater.close()
    gone = weakref.ref(holder)
    gc.disable()
    try:
        del holder
        assert gone() is None
    finally:
        gc.enable()


async def test_work_whose_wait_others_cancelled_is_tried_again(
    tasks: Tasks, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    awaited = asyncio.get_running_loop().create_future()
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await awaited

    repeater = Repeater("work", work, tasks, clock, first_s=1.0)
    repeater.poke()
    await settle()
    awaited.cancel()
    await settle()
    assert "given up by somebody else" in caplog.text
    await clock.advance(1)
    assert runs == 2
    assert repeater.succeeded.is_set()


async def test_what_starts_beside_others_is_quiet_about_it_for_a_while(
    work: Work, tasks: Tasks, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    work.failures = [Expected("not there yet"), Expected("still not"), Expected("gone again")]
    repeater = Repeater("work", work, tasks, clock, first_s=1.0, expected=(Expected,), quiet_s=0.5)
    repeater.poke()
    await settle()
    for _ in range(2):
        await clock.advance(2.0)
        await settle()
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]
    await repeater.close()


async def test_one_whose_tasks_were_closed_first_begins_nothing_more(
    repeater: Repeater, work: Work, tasks: Tasks, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    work.failures = [Expected("once")]
    repeater.within(5.0)
    repeater.poke()
    await settle()
    await tasks.close()
    repeater.poke()
    repeater.hurry()
    repeater.within(1.0)
    await clock.advance(10)
    assert work.runs == 1
    assert "Traceback" not in caplog.text
    await repeater.close()


async def test_one_that_is_stopped_gives_up_its_run_and_its_timers(
    repeater: Repeater, work: Work, tasks: Tasks, clock: FakeClock
) -> None:
    work.gate.clear()
    repeater.within(5.0)
    repeater.poke()
    await settle()
    repeater.stop()
    await settle()
    assert (work.running, len(tasks)) == (0, 0)
    await clock.advance(10)
    assert work.runs == 1
