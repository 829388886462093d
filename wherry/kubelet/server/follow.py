"""Sending a log file as it is, and as it grows, until its container has ended.

Growth is heard of by inotify, the end by the runtime's events; nothing is polled. A file that was
rotated away is read to its end before the new one is begun.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from wherry.kit.httpd.message import Writer
from wherry.kit.inotify import DirectoryWatch
from wherry.kubelet.server.logs import LogOptions, Selector, tail_offset

_READ = 64 * 1024
"""Bytes read at a time: the records in them are looked at in one go, and then others have their turn."""


async def send_log(path: Path, options: LogOptions, writer: Writer, ended: Awaitable[None]) -> None:
    """Write what `options` wants of the log at `path`; with `follow` until `ended` returns.

    Raises OSError when the log cannot be read.
    """
    async for piece in read_log(path, options, ended):
        writer.write(piece)
        await writer.drain()


async def read_log(path: Path, options: LogOptions, ended: Awaitable[None]) -> AsyncIterator[bytes]:
    """The log in pieces; see `send_log`."""
    selector = Selector(options)
    end = asyncio.ensure_future(ended)
    try:
        with LogFile(path) as file:
            if options.tail_lines is not None:
                # In a thread: as many lines may be asked for as a log has.
                await asyncio.to_thread(file.skip_to_tail, options.tail_lines)
            if not options.follow:
                while not selector.is_full() and (piece := file.read()):
                    yield _selected(piece, selector)
                    await asyncio.sleep(0)  # where nothing is selected, whoever takes it does not wait either
                return
            with DirectoryWatch(path.parent) as watch:
                async for piece in _followed(file, watch, end, selector):
                    yield piece
    finally:
        end.cancel()


async def _followed(
    file: LogFile, watch: DirectoryWatch, end: asyncio.Future[None], selector: Selector
) -> AsyncIterator[bytes]:
    while not selector.is_full():
        # Looked at before reading: whatever was written before the end is then read.
        is_last = end.done()
        while piece := file.read():
            yield _selected(piece, selector)
            await asyncio.sleep(0)
            if selector.is_full():
                return
        if file.is_replaced():
            file.reopen()
            continue
        if is_last:
            return
        change = asyncio.ensure_future(watch.wait())
        try:
            await asyncio.wait((change, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()


def _selected(records: bytes, selector: Selector) -> bytes:
    return b"".join(selector.select(record) for record in records.splitlines(keepends=True))


class LogFile:
    """A log open for reading whole records, which may be replaced by another at its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        self._rest = b""

    def __enter__(self) -> LogFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def skip_to_tail(self, lines: int) -> None:
        """Go on reading at the last `lines` lines."""
        self._file.seek(tail_offset(self._file, lines))

    def read(self) -> bytes:
        """The next complete records, b"" when there are none now."""
        while data := self._file.read(_READ):
            whole, newline, rest = (self._rest + data).rpartition(b"\n")
            self._rest = rest
            if newline:
                return whole + newline
        return b""

    def is_replaced(self) -> bool:
        """Whether another file lies at the path now."""
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            # Renamed away, and the runtime has not begun the new one yet.
            return False

    def reopen(self) -> None:
        """Read the file at the path from its beginning."""
        self._file.close()
        self._file = _open(self._path)
        self._rest = b""


def _open(path: Path) -> BinaryIO:
    """The log at `path`, which must be no link: it is read as root for people who are not."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")
