"""When history is forgotten."""

from __future__ import annotations

from wherry.kit.clock import FakeClock
from wherry.store.alarm import Alarm
from wherry.store.retention import History, Retention


async def test_history_is_forgotten_when_it_comes_of_age() -> None:
    clock = FakeClock()
    asked: list[int] = []
    history = History(Retention(age_s=300, revisions=1000), clock, asked.append)
    history.start(0, 5)
    await clock.advance(200)
    history.wrote(9)
    await clock.advance(105)
    assert asked == []
    await clock.advance(10)
    assert asked == [5]
    await clock.advance(200)
    assert asked == [5, 9]
    await clock.advance(10_000)
    assert asked == [5, 9], "while nothing is written nothing is asked"


async def test_too_much_history_is_forgotten_at_once_but_not_with_every_write() -> None:
    asked: list[int] = []
    history = History(Retention(age_s=300, revisions=100), FakeClock(), asked.append)
    for revision in range(1, 240):
        history.wrote(revision)
    assert asked == [11, 22, 33, 44, 55, 66, 77, 88, 99, 110, 121, 132]


async def test_closed_history_asks_nothing() -> None:
    clock = FakeClock()
    asked: list[int] = []
    history = History(Retention(age_s=10), clock, asked.append)
    history.wrote(5)
    history.close()
    await clock.advance(100)
    assert asked == []


async def test_an_alarm_rings_at_the_earliest_moment_and_once() -> None:
    clock = FakeClock()
    rung: list[float] = []
    alarm = Alarm(clock, lambda: rung.append(clock.monotonic()))
    alarm.set_in(30)
    alarm.set_in(10)
    alarm.set_in(20)
    await clock.advance(100)
    assert rung == [10]
    alarm.set_in(5)
    alarm.cancel()
    await clock.advance(100)
    assert rung == [10]
    alarm.set_in(-5)
    await clock.advance(0)
    assert rung == [10, 200]
