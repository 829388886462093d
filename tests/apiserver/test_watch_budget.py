"""What waits for all watchers together is bounded; the slowest go first."""

from __future__ import annotations

import pytest

from wherry.apiserver.sinks import HttpSink, WatchBudget
from wherry.kit.clock import FakeClock

KIB = 1024


class Slow:
    """A client's writer; the test says how much waits in it."""

    def __init__(self) -> None:
        self.buffered = 0
        self.closed = False

    def write(self, data: bytes) -> None:
        self.buffered += len(data)

    async def drain(self) -> None:
        """Everything is taken at once."""

    def abort(self) -> None:
        self.closed = True
        self.buffered = 0


class Lines:
    """Every event is so many bytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def events(self, events: object) -> bytes:
        return bytes(self.size)


def sinks(budget: WatchBudget, count: int, size: int) -> list[tuple[HttpSink, Slow]]:
    made = []
    for _ in range(count):
        writer = Slow()
        made.append((HttpSink(FakeClock(), writer, 1 << 40, Lines(size), None, budget), writer))  # type: ignore[arg-type]
    return made


def test_many_that_do_not_read_stay_below_the_bound() -> None:
    budget = WatchBudget(1024 * KIB)
    made = sinks(budget, 100, 64 * KIB)
    most = 0
    for _ in range(5):
        for sink, _ in made:
            sink.events(())
            most = max(most, sum(writer.buffered for _, writer in made))
    assert most <= (1024 + 64) * KIB
    assert budget.total == sum(writer.buffered for _, writer in made)
    assert any(not writer.closed for _, writer in made)


def test_the_furthest_behind_goes_first_and_who_reads_stays() -> None:
    budget = WatchBudget(1000 * KIB)
    made = sinks(budget, 3, 100 * KIB)
    (first, slow), (second, slower), (third, reads) = made
    slow.buffered, slower.buffered = 300 * KIB, 500 * KIB
    first.events(())
    second.events(())
    third.events(())
    assert [writer.closed for _, writer in made] == [False, True, False]
    assert second.ended
    reads.buffered = 0
    third.events(())
    assert not reads.closed


def test_what_was_taken_meanwhile_counts_no_more() -> None:
    budget = WatchBudget(1000 * KIB)
    made = sinks(budget, 10, 90 * KIB)
    for sink, _ in made:
        sink.events(())
    for _, writer in made:
        writer.buffered = 0
    for sink, _ in made:
        sink.events(())
    assert not any(writer.closed for _, writer in made)


@pytest.mark.parametrize("count", [1, 200])
def test_nobody_is_asked_per_event_while_there_is_room(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = WatchBudget(1 << 40)
    made = sinks(budget, count, 70 * KIB)
    monkeypatch.setattr(budget, "_relieve", lambda: pytest.fail("everybody was looked at"))
    for sink, _ in made:
        sink.events(())
    assert budget.total == count * 70 * KIB
    for sink, _ in made:
        budget.forget(sink)
    assert budget.total == 0
