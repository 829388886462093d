"""A log followed while the kubelet rotates it: every line once, in order, however late the reader is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.logs import rotate_log, rotated_logs
from wherry.kubelet.runtimes.containers import Container, Phase
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.server.follow import read_log
from wherry.kubelet.server.logs import LogOptions

LINES = 100_000


class Writer(FakeRuntime):
    """A runtime that writes one container's log, on and on in one file until it is told to begin anew.

    Then `late` lines more still end up in the file before, as they do in containerd.
    """

    def __init__(self, path: Path, late: int = 0) -> None:
        super().__init__(FakeClock())
        self.path = path
        self.late = late
        self.count = 0
        self._file = path.open("ab")

    def write(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            stamp = f"2026-01-01T00:00:00.{self.count:09d}Z"
            self._file.write(f"{stamp} stdout F line {self.count}\n".encode())
        self._file.flush()

    async def reopen_log(self, container_id: str) -> None:
        before, self._file = self._file, self.path.open("ab")
        current = self._file
        self._file = before
        self.write(self.late)
        self._file = current
        before.close()

    def close_log(self) -> None:
        self._file.close()


class Log:
    """A log that is written, rotated and followed."""

    def __init__(self, directory: Path, *, late: int = 0, max_files: int = 5) -> None:
        self.path = directory / "0.log"
        self.writer = Writer(self.path, late)
        self.max_files = max_files
        self.clock = FakeClock()
        self.end = asyncio.Event()
        now = self.clock.now()
        self.container = Container(
            id="c",
            sandbox_id="s",
            name="c",
            attempt=0,
            image="i",
            image_id="i",
            phase=Phase.RUNNING,
            created=now,
        )

    async def rotate(self) -> bool:
        await self.clock.advance(10)
        return await rotate_log(
            self.writer, DirectDisk(), self.container, self.path, self.clock.now(), 1, self.max_files
        )

    def follow(self) -> AsyncIterator[bytes]:
        return read_log(self.path, LogOptions(follow=True), self._ended())

    async def _ended(self) -> None:
        await self.end.wait()


def numbers(text: bytes) -> list[int]:
    return [int(line.split()[1]) for line in text.splitlines()]


async def test_a_hundred_thousand_lines(tmp_path: Path) -> None:
    log, random = Log(tmp_path, late=3), Random(7)
    log.writer.write(1)

    async def write() -> None:
        while log.writer.count < LINES:
            log.writer.write(random.randrange(1, 3000))
            if random.random() < 0.4:
                assert await log.rotate()
            await asyncio.sleep(0)
        log.end.set()

    writing = asyncio.ensure_future(write())
    got = [piece async for piece in log.follow()]
    await writing
    log.writer.close_log()
    found = numbers(b"".join(got))
    assert len(rotated_logs(log.path)) > 3
    assert sorted(found) == list(range(1, log.writer.count + 1)), "every line, once"


@pytest.mark.parametrize("rotations", [1, 2, 4])
async def test_a_reader_that_was_held_up(tmp_path: Path, rotations: int) -> None:
    """Its file was rotated away several times, and compressed, before it looks again."""
    log = Log(tmp_path)
    log.writer.write(10)
    stream = log.follow()
    got = [await anext(stream)]
    for _ in range(rotations):
        log.writer.write(10)
        assert await log.rotate()
    log.writer.write(10)
    log.end.set()
    got += [piece async for piece in stream]
    log.writer.close_log()
    assert numbers(b"".join(got)) == list(range(1, log.writer.count + 1))


async def test_what_is_deleted_by_then_is_lost_and_nothing_else(tmp_path: Path) -> None:
    log = Log(tmp_path, max_files=3)
    log.writer.write(10)
    stream = log.follow()
    got = [await anext(stream)]
    for _ in range(6):
        log.writer.write(10)
        assert await log.rotate()
    log.writer.write(1)
    log.end.set()
    got += [piece async for piece in stream]
    log.writer.close_log()
    found = numbers(b"".join(got))
    assert found == sorted(set(found)), "in order, none twice"
    assert found[:20] == list(range(1, 21)), "what was open is read to its end"
    assert found[-21:] == list(range(log.writer.count - 20, log.writer.count + 1)), "and what is kept"


async def test_a_name_given_twice_moves_nothing(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.writer.write(1)
    assert await log.rotate()
    now = log.clock.now()
    log.writer.write(1)
    assert not await rotate_log(log.writer, DirectDisk(), log.container, log.path, now, 1, 5)
    log.writer.close_log()
