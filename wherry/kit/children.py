"""Starting processes that are to outlive us, and hearing on an event loop that processes ended.

Not through asyncio's subprocesses: those kill their process when the loop closes, and know only their
own children. Whoever comes later knows such a process by its `ProcessRecord`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from wherry.kit.processes import ProcessRecord


def spawn(command: Sequence[str], log_file: Path) -> ProcessRecord:
    """Start `command` in a session of its own, writing to the end of `log_file`. Raises OSError."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, log, 1)]
        actions.append((os.POSIX_SPAWN_DUP2, log, 2))
        defaults = [signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        try:
            pid = os.posix_spawn(
                command[0],
                list(command),
                dict(os.environ),
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=defaults,
            )
        finally:
            os.close(null)
    finally:
        os.close(log)
    record = ProcessRecord.of(pid)
    if record is None:
        reap(pid)
        raise ProcessLookupError(f"{command[0]} ended at once; see {log_file}")
    return record


async def wait_gone(process: ProcessRecord) -> None:
    """Return when the process has ended, at once if it has. Raises OSError."""
    descriptor = process.open()
    try:
        if descriptor is None:
            return
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        loop.add_reader(descriptor, lambda: None if ended.done() else ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)
        if not process.is_alive():
            reap(process.pid)


def reap(pid: int) -> None:
    """Take the exit status of an ended child, so that no zombie stays; nothing for others."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


async def end(
    processes: Sequence[ProcessRecord], number: signal.Signals, timeout_s: float
) -> list[ProcessRecord]:
    """Signal processes, wait until they are gone; those left after `timeout_s` seconds."""
    for process in processes:
        process.send(number)
    waits = [asyncio.ensure_future(wait_gone(process)) for process in processes]
    if waits:
        _, pending = await asyncio.wait(waits, timeout=timeout_s)
        for wait in pending:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return [process for process in processes if process.is_alive()]
