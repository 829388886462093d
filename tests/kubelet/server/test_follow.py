"""Following a log: growth, rotation, and the container's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wherry.kubelet.server.follow import read_log
from wherry.kubelet.server.logs import LogOptions


def record(text: str, tag: str = "F") -> str:
    return f"2026-01-01T00:00:00Z stdout {tag} {text}\n"


class Container:
    """A container that logs to a file and ends when told."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "0.log"
        self.path.touch()
        self.end = asyncio.Event()

    def log(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    async def ended(self) -> None:
        await self.end.wait()

    def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        return read_log(self.path, options, self.ended())


@pytest.fixture
async def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


async def rest_of(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


async def test_what_is_there(container: Container) -> None:
    container.log(record("a") + record("b") + record("c"))
    assert await rest_of(container.read(LogOptions())) == b"a\nb\nc\n"
    assert await rest_of(container.read(LogOptions(tail_lines=1))) == b"c\n"
    assert await rest_of(container.read(LogOptions(limit_bytes=3))) == b"a\nb"


@pytest.mark.parametrize("follow", [False, True])
async def test_others_have_their_turn_while_nothing_is_found(container: Container, follow: bool) -> None:
    """Whoever asks for what came since tomorrow has the whole log looked at, and is sent nothing."""
    size = container.path.write_text(record("a") * 25_000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    ticking = asyncio.ensure_future(others())
    container.end.set()
    wanted = LogOptions(since="2026-01-02T00:00:00.000000000Z", follow=follow)
    assert await rest_of(container.read(wanted)) == b""
    ticking.cancel()
    assert turns >= size // (64 * 1024)


async def test_growth_until_the_end(container: Container) -> None:
    container.log(record("a"))
    stream = container.read(LogOptions(follow=True))
    assert await anext(stream) == b"a\n"
    container.log(record("b")[:-4])
    container.log(record("b")[-4:])
    assert await anext(stream) == b"b\n"
    container.log(record("last"))
    container.end.set()
    assert await rest_of(stream) == b"last\n"


async def test_rotation(container: Container) -> None:
    stream = container.read(LogOptions(follow=True))
    container.log(record("a"))
    assert await anext(stream) == b"a\n"
    container.log(record("b"))
    container.path.rename(container.path.with_name("0.log.old"))
    container.log(record("c"))
    assert await anext(stream) == b"b\n"
    assert await anext(stream) == b"c\n"
    container.end.set()
    assert await rest_of(stream) == b""


async def test_an_ended_containers_log_is_followed_to_its_end(container: Container) -> None:
    container.log(record("a"))
    container.end.set()
    assert await rest_of(container.read(LogOptions(follow=True, tail_lines=10))) == b"a\n"


async def test_a_limit_ends_following(container: Container) -> None:
    container.log(record("abc"))
    assert await rest_of(container.read(LogOptions(follow=True, limit_bytes=2))) == b"ab"


async def test_a_missing_log_is_an_error(tmp_path: Path, container: Container) -> None:
    with pytest.raises(FileNotFoundError):
        await rest_of(read_log(tmp_path / "missing", LogOptions(), container.ended()))


async def test_a_link_that_takes_a_logs_place_is_not_followed(tmp_path: Path, container: Container) -> None:
    other = tmp_path / "other"
    other.write_text(record("secret"))
    stream = container.read(LogOptions(follow=True))
    container.log(record("a"))
    assert await anext(stream) == b"a\n"
    container.path.rename(container.path.with_name("0.log.old"))
    container.path.symlink_to(other)
    with pytest.raises(OSError, match="symbolic link"):
        await rest_of(stream)
