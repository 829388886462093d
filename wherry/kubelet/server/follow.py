"""Sending a log file as it is, and as it grows, until its container has ended.

Growth is heard of by inotify, the end by the runtime's events; nothing is polled. What a rotation means
is `log_file`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

from wherry.kit.httpd.message import Writer
from wherry.kit.inotify import DirectoryWatch
from wherry.kit.portions import Work, others
from wherry.kubelet.server.log_file import LogFile
from wherry.kubelet.server.logs import LogOptions, Selector


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
                    yield selector.select_all(piece)
                    await others(Work.NODE)  # where nothing is selected, whoever takes it does not wait
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
            yield selector.select_all(piece)
            await others(Work.NODE)
            if selector.is_full():
                return
        if file.turn_over():
            continue
        if is_last:
            return
        change = asyncio.ensure_future(watch.wait())
        try:
            await asyncio.wait((change, end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
