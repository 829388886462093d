"""Simulated time: what falls due runs in order, nothing waits for real, and what is outside is waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from wherry.kit.simulated_loop import START, BackwardsError, LoopClock, SimulatedLoop, StalledError


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    made = SimulatedLoop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


def test_a_year_passes_in_order_and_at_once(loop: SimulatedLoop) -> None:
    happened: list[tuple[str, float]] = []

    async def every_day(name: str, period_s: float) -> None:
        while True:
            await asyncio.sleep(period_s)
            happened.append((name, loop.time()))

    async def main() -> None:
        tasks = [
            asyncio.create_task(every_day("day", 86400.0)),
            asyncio.create_task(every_day("week", 604800.0)),
        ]
        await loop.advance(365 * 86400)
        for task in tasks:
            task.cancel()

    loop.run_until_complete(main())
    assert loop.wall() == START + timedelta(days=365)
    assert [moment for _, moment in happened] == sorted(moment for _, moment in happened)
    assert sum(name == "day" for name, _ in happened) == 365
    assert sum(name == "week" for name, _ in happened) == 52


def test_timeouts_and_the_clock_agree(loop: SimulatedLoop) -> None:
    clock = LoopClock(loop)

    async def main() -> None:
        async def waiting() -> None:
            async with asyncio.timeout(30):
                await clock.sleep(60)

        task = asyncio.create_task(waiting())
        await loop.advance(29.9)
        assert not task.done()
        await loop.advance(0.1)
        with pytest.raises(TimeoutError):
            task.result()
        assert clock.monotonic() == 30
        assert clock.now() == START + timedelta(seconds=30)

    loop.run_until_complete(main())


def test_nothing_moves_by_itself(loop: SimulatedLoop) -> None:
    async def main() -> None:
        fired: list[float] = []
        loop.call_later(0.001, lambda: fired.append(loop.time()))
        for _ in range(100):
            await loop.idle()
        assert (fired, loop.time()) == ([], 0)

    loop.run_until_complete(main())


def test_idle_means_that_all_has_happened_that_needs_no_time(loop: SimulatedLoop) -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        seen: list[int] = []

        async def relay() -> None:
            while True:
                number = await queue.get()
                seen.append(number)
                if number:
                    queue.put_nowait(number - 1)

        task = asyncio.create_task(relay())
        queue.put_nowait(1000)
        await loop.idle()
        assert seen == list(range(1000, -1, -1))
        task.cancel()

    loop.run_until_complete(main())


def test_until_a_condition_holds(loop: SimulatedLoop) -> None:
    async def main() -> None:
        state = {"up": False}
        loop.call_later(5, lambda: state.update(up=True))
        loop.call_later(50, lambda: state.update(up=False))
        assert await loop.run_until(lambda: state["up"], 60)
        assert loop.time() == 5
        assert not await loop.run_until(lambda: False, 10)
        assert loop.time() == 15

    loop.run_until_complete(main())


def test_a_thread_is_waited_for(loop: SimulatedLoop) -> None:
    async def main() -> None:
        gate = threading.Event()

        async def work() -> None:
            async with asyncio.timeout(10):
                await asyncio.to_thread(gate.wait, 5)

        task = asyncio.create_task(work())
        threading.Timer(0.05, gate.set).start()
        await loop.advance(3600)
        await task
        assert loop.time() == 3600

    loop.run_until_complete(main())


def test_what_is_outside_is_waited_for_until_a_deadline_has_passed_for_real(loop: SimulatedLoop) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)

        async def ask() -> bytes:
            with loop.hold():
                async with asyncio.timeout(0.2):
                    return await reader.read(5)

        task = asyncio.create_task(ask())
        threading.Timer(0.05, lambda: theirs.send(b"hello")).start()
        await loop.advance(60)
        assert await task == b"hello"
        task = asyncio.create_task(ask())
        await asyncio.sleep(0)  # it begins to wait before time moves on
        await loop.advance(60)
        with pytest.raises(TimeoutError):
            await task
        writer.close()
        theirs.close()

    loop.run_until_complete(main())


def test_real_time_once_it_is_followed(loop: SimulatedLoop) -> None:
    async def main() -> None:
        await loop.advance(100)
        loop.follow_real_time()
        began = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - began >= 0.049
        fired: list[float] = []
        loop.call_later(3600, lambda: fired.append(loop.time()))
        await loop.advance(7200)
        assert len(fired) == 1
        assert 3700 <= fired[0] < 3710
        assert 7300 <= loop.time() < 7310

    loop.run_until_complete(main())


@pytest.mark.parametrize("seconds", [-1, -1e-9, float("nan")])
def test_time_runs_forwards_only(loop: SimulatedLoop, seconds: float) -> None:
    with pytest.raises(BackwardsError, match="only runs forwards"):
        loop.run_until_complete(loop.advance(seconds))


def test_timers_of_one_moment_fire_in_the_order_they_were_set(loop: SimulatedLoop) -> None:
    async def main() -> None:
        fired: list[int] = []
        for number in range(50):
            loop.call_at(10.0, fired.append, number)
            loop.call_at(float(number % 7), lambda: None)
        await loop.advance(10)
        assert fired == list(range(50))

    loop.run_until_complete(main())


@pytest.mark.parametrize("already_s", [300.99999999999994, 0.1 + 0.2, 3.1e9 + 0.3])
def test_who_waits_for_the_rest_of_a_time_comes_to_its_end(loop: SimulatedLoop, already_s: float) -> None:
    """A timer that fired a rounding error too early would set itself anew for ever, and time stand still."""
    fired: list[float] = []

    def look(due: float) -> None:
        fired.append(loop.time())
        if loop.time() < due:
            loop.call_later(due - loop.time(), look, due)

    async def main() -> None:
        await loop.advance(already_s)
        for beyond_s in (5.7e-14, 3e-7, 0.2, 1.0000004):
            look(loop.time() + beyond_s)
        await loop.advance(2)

    loop.run_until_complete(asyncio.wait_for(main(), 10_000_000_000))
    assert len(fired) <= 12


@pytest.mark.parametrize("works_s", [0.0, 0.05])
def test_a_thread_takes_no_time_and_what_follows_keeps_its_order(loop: SimulatedLoop, works_s: float) -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        await asyncio.to_thread(time.sleep, works_s if number == 0 else 0.0)
        ended.append(number)

    async def main() -> None:
        loop.call_later(0.01, ended.append, -1)
        await asyncio.gather(*(work(number) for number in range(4)))
        assert loop.time() == 0

    loop.run_until_complete(main())
    assert ended == [0, 1, 2, 3]


def test_what_fails_in_a_thread_fails_for_who_waits(loop: SimulatedLoop) -> None:
    with pytest.raises(ZeroDivisionError):
        loop.run_until_complete(asyncio.to_thread(divmod, 1, 0))


def test_time_goes_on_for_who_has_to_wait(loop: SimulatedLoop) -> None:
    async def main() -> None:
        with loop.moving():
            await asyncio.sleep(3600)
        assert loop.time() == 3600
        await loop.advance(10)
        with pytest.raises(StalledError, match="60 s of simulated time"), loop.moving(60):
            await asyncio.sleep(3600)
        assert loop.time() == 3670
        with loop.moving(60):  # what moves it for itself is no waiting
            await loop.advance(3600)
        current = asyncio.current_task()
        assert current is not None
        assert not current.cancelling()

    loop.run_until_complete(main())


def test_what_is_cancelled_while_time_goes_on_for_it_is_cancelled(loop: SimulatedLoop) -> None:
    async def wait() -> None:
        with loop.moving(60):
            await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(wait())
        loop.call_later(5, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() == 5

    loop.run_until_complete(main())


def test_who_waits_on_though_told_to_end_is_told_again(loop: SimulatedLoop) -> None:
    async def stubborn() -> None:
        with loop.moving(60):
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(3600)

    async def main() -> None:
        with pytest.raises(StalledError):
            await stubborn()
        assert loop.time() == 120

    loop.run_until_complete(main())


def test_time_goes_on_while_somebody_has_to_wait(
    loop: SimulatedLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, original = 0, loop.before_waiting

    def look(timeout: float | None) -> float | None:
        nonlocal looks
        looks += 1
        return original(timeout)

    monkeypatch.setattr(loop, "before_waiting", look)

    async def main() -> None:
        with loop.moving():
            await asyncio.sleep(3600)
        assert loop.time() == 3600
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs, loop.moving():  # nothing but what is outside: it is waited for, and no time passes
            threading.Timer(0.05, theirs.send, [b"x"]).start()
            before = looks
            assert await loop.sock_recv(ours, 1) == b"x"
            assert looks - before < 10, "it sleeps, and does not look again and again"
        assert loop.time() == 3600
        loop.follow_real_time()
        with loop.moving():
            began = time.monotonic()
            await asyncio.sleep(0.05)
            assert time.monotonic() - began >= 0.04

    loop.run_until_complete(main())
