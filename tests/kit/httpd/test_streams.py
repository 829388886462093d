"""What a connection's transport is given, and how it is closed."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from wherry.kit.httpd import waiting
from wherry.kit.httpd.message import Connection
from wherry.kit.httpd.streams import (
    NARROW_BYTES,
    NARROW_HIGH,
    SLICE_BYTES,
    UNDER_TLS_BYTES,
    WRITE_HIGH,
    Flow,
    StreamWriter,
)
from wherry.kit.httpd.waiting import WaitingBudget
from wherry.kit.passes import Pass

KIB = 1024
MIB = 1024 * KIB


class OldTls(asyncio.Transport):
    """As one over TLS is in Python 3.11.2: closed twice, it cannot be aborted any more."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.is_aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It holds nothing."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed > 0

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        assert self.closed < 2, "it has let go of what would be aborted"
        self.is_aborted = True


def test_what_ends_twice_is_closed_once_and_can_be_cut_off() -> None:
    transport = OldTls()
    flow = Flow(transport, Connection(None, None), WaitingBudget(), Pass(), lambda: None, lambda: None)
    flow.finish()
    flow.finish()
    flow.end()
    assert transport.closed == 1
    flow.cut_off()
    assert transport.is_aborted


class Deaf(asyncio.Transport):
    """A transport whose peer takes nothing, and who is told when it is full."""

    def __init__(self, is_tls: bool = False) -> None:
        super().__init__({"ssl_object": object() if is_tls else None})
        self.flow: Flow | None = None
        self.held = 0
        self.high = 0
        self.is_aborted = False
        self.takes_all = False
        self.taken = 0
        self.writes = 0
        self.given = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        self.given += data
        if self.takes_all:
            self.taken += len(data)
            return
        before, self.held = self.held, self.held + len(data)
        if before <= self.high < self.held and self.flow is not None:
            self.flow.pause()

    def take(self, size: int) -> None:
        """Its peer takes so much."""
        self.held -= size
        if self.held == 0 and self.flow is not None:
            self.flow.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0
        if self.high <= self.held and self.held and self.flow is not None:
            self.flow.pause()

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True
        self.held = 0


def crowd(count: int, budget: WaitingBudget, turns: Pass, *, is_tls: bool = False) -> list[Deaf]:
    """Connections of one identity."""
    made = [Deaf(is_tls) for _ in range(count)]
    for transport in made:
        connection = Connection(None, None)
        connection.identity = "crowd"
        transport.flow = Flow(transport, connection, budget, turns, lambda: None, lambda: None)
    return made


def write_to(transports: list[Deaf], data: bytes) -> None:
    for transport in transports:
        assert transport.flow is not None
        transport.flow.write(data)


async def test_what_is_longer_goes_on_in_portions_over_all_connections() -> None:
    turns = Pass(MIB, seconds=60)
    made = crowd(20, WaitingBudget(1 << 40, 1 << 40), turns)
    for one in made:
        one.takes_all = True
    write_to(made, bytes(4 * MIB))
    given = [sum(one.taken for one in made)]
    assert given == [20 * MIB], "each begins at once"
    while given[-1] < 20 * 4 * MIB and len(given) < 100:
        await asyncio.sleep(0)
        given.append(sum(one.taken for one in made))
    portions = [after - before for before, after in pairwise(given)]
    assert max(portions) == MIB
    assert given[-1] == 20 * 4 * MIB


async def test_who_was_given_nothing_yet_does_not_lag() -> None:
    budget = WaitingBudget(1 << 40, 64 * MIB)
    made = crowd(200, budget, Pass(MIB, seconds=60))
    for one in made:
        one.takes_all = True
    write_to(made, bytes(900 * KIB))
    assert (budget.cut_off, budget.total) == (0, 0)


async def test_all_who_take_at_once_are_given_more_in_portions() -> None:
    turns = Pass(MIB, seconds=60)
    made = crowd(40, WaitingBudget(1 << 40, 1 << 40), turns)
    write_to(made, bytes(MIB))
    for _ in range(40):
        await asyncio.sleep(0)
    assert all(one.held > WRITE_HIGH for one in made)
    held = made[0].held
    for one in made:
        one.take(one.held)
    assert sum(one.held for one in made) <= MIB + SLICE_BYTES < 40 * held


async def test_little_goes_out_at_first_where_much_waits() -> None:
    budget = WaitingBudget(1 << 40, 64 * MIB)
    made = crowd(800, budget, Pass(1 << 40, seconds=60), is_tls=True)
    write_to(made, bytes(100 * KIB))
    write_to(made, bytes(100 * KIB))
    held = sum(one.held for one in made)
    assert held < 64 * MIB
    assert sum(one.held <= NARROW_HIGH + NARROW_BYTES for one in made) > 600


async def test_what_tls_holds_counts_before_the_transport_is_full() -> None:
    budget = WaitingBudget(1 << 40, 64 * MIB)
    made = crowd(10, budget, Pass(1 << 40, seconds=60), is_tls=True)
    write_to(made, bytes(100 * KIB))
    assert budget.total == 10 * (100 * KIB + UNDER_TLS_BYTES)
    for one in made:
        one.take(100 * KIB)
        one.takes_all = True
    write_to(made, b"x")
    assert budget.total == 0


async def test_who_lags_is_given_no_more_of_what_comes_bit_by_bit() -> None:
    """To encrypt for whoever reads nothing would take the time of those who do."""
    budget = WaitingBudget(1 << 40, 1 << 40)
    made = crowd(100, budget, Pass(1 << 40, seconds=60), is_tls=True)
    for number in range(200):
        write_to(made, b"%03d" % number * KIB)
    assert [one.writes for one in made] == [1] * 100, "it was not seen to lag before"
    assert budget.total == 100 * (200 * 3 * KIB + UNDER_TLS_BYTES), "what waits counts, encrypted or not"
    one = made[0]
    while one.held:
        assert one.held <= NARROW_BYTES
        one.take(one.held)
    assert one.writes <= 200 * 3 * KIB // NARROW_BYTES + 2, "what is small goes together"
    assert bytes(one.given) == b"".join(b"%03d" % number * KIB for number in range(200))
    assert budget.total == 99 * (200 * 3 * KIB + UNDER_TLS_BYTES)
    assert one.high == WRITE_HIGH, "from now on it is as any other"


async def test_those_who_lag_share_what_they_are_sent() -> None:
    made = crowd(50, WaitingBudget(1 << 40, 1 << 40), Pass(1 << 40, seconds=60), is_tls=True)
    writers = [StreamWriter(one.flow, chunked=True) for one in made if one.flow is not None]
    for size in (10, KIB, 100 * KIB, 200 * KIB):
        event = bytes(size)
        for writer in writers:
            writer.write(event)
    held = {id(data): len(data) for one in made if one.flow is not None for data in one.flow._queue}
    assert sum(held.values()) < 302 * KIB, "and not fifty times that"


async def test_many_are_given_up_in_portions() -> None:
    budget = WaitingBudget(1 << 40, 8 * MIB)
    made = crowd(200, budget, Pass())
    write_to(made, bytes(MIB))
    assert budget.total <= 8 * MIB, "what waits for them is let go of at once"
    ended = [0]
    while ended[-1] < budget.cut_off and len(ended) < 100:
        await asyncio.sleep(0)
        ended.append(sum(one.is_aborted for one in made))
    assert ended[-1] == budget.cut_off > 150
    assert max(after - before for before, after in pairwise(ended)) <= 8


async def test_those_who_are_cut_off_are_told_of_in_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "REPORT_S", 0)
    caplog.set_level("INFO")
    budget = WaitingBudget(1 << 40, 8 * MIB)
    made = crowd(100, budget, Pass(1 << 40, seconds=60))
    write_to(made, bytes(MIB))
    assert budget.cut_off > 50
    assert caplog.records == []
    await asyncio.sleep(0.001)
    cut_off = sum(one.is_aborted for one in made)
    assert cut_off == budget.cut_off
    (line,) = caplog.messages
    assert line.startswith(f"{cut_off} connections of crowd ")
