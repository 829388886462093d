"""The watchdog against sockets that answer, do not, or belong to another."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from wherry.cluster.pulse import answering
from wherry.cluster.watchdog import STARTING_S, Watchdog, describe_process, period_s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server.pulse"


async def test_one_that_answers_is_never_overdue(path: Path) -> None:
    watchdog = Watchdog(path, os.getpid(), 3)
    async with answering(path):
        for _ in range(10):
            watchdog.look(2.0, is_ready=True)
            for _ in range(3):  # the connection, the question, the answer
                await asyncio.sleep(0.005)
        assert watchdog.silent_s == 0
        assert not watchdog.is_overdue
    watchdog.close()
    assert not path.exists()


def test_one_that_stands_still_is_overdue_when_its_time_is_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(str(path))
        stuck.listen()
        watchdog = Watchdog(path, os.getpid(), 3)
        for expected in (False, False, False, True):
            watchdog.look(1.0, is_ready=True)
            assert watchdog.is_overdue is expected
        watchdog.close()


def test_one_that_starts_has_more_time_and_its_time_begins_when_it_is_ready(path: Path) -> None:
    watchdog = Watchdog(path, os.getpid(), 3)
    for _ in range(50):
        watchdog.look(1.0, is_ready=False)
    assert watchdog.silent_s == 50
    assert not watchdog.is_overdue
    watchdog.look(1.0, is_ready=True)
    assert not watchdog.is_overdue
    starting = Watchdog(path, os.getpid(), 3)
    for _ in range(int(STARTING_S)):
        starting.look(1.0, is_ready=False)
    assert starting.is_overdue, "it never came to its loop"


def test_time_in_which_nobody_ran_is_nobodys_fault(path: Path) -> None:
    watchdog = Watchdog(path, os.getpid(), 30)
    watchdog.look(10.0, is_ready=True)
    watchdog.look(3 * 3600.0, is_ready=True)
    assert not watchdog.is_overdue


def test_never_is_never(path: Path) -> None:
    watchdog = Watchdog(path, os.getpid(), 0)
    for _ in range(1000):
        watchdog.look(1000.0, is_ready=True)
    assert not watchdog.is_overdue
    assert period_s(0) == period_s(3600) == 10.0


async def test_an_answer_of_another_process_is_none(path: Path) -> None:
    watchdog = Watchdog(path, os.getpid() + 1, 3)
    async with answering(path):
        for _ in range(5):
            watchdog.look(1.0, is_ready=True)
            await asyncio.sleep(0.005)
        assert watchdog.is_overdue
    watchdog.close()


def test_what_a_process_is_at_has_words() -> None:
    assert describe_process(os.getpid()) == "busy"
    assert describe_process(2**22 + 1) == "gone"
