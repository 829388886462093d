"""Processes that are not necessarily our children: named so that a reused pid cannot fool anyone.

containerd outlives the agent that started it, so a later agent knows it only by a pid file. A pid
with the start time the kernel gives for it names one process for ever. Ends are heard through a
pidfd, which works for any process and needs no signal handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Identity:
    """One process: its pid, and when it started, in clock ticks since boot."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int, proc: Path = PROC) -> Identity | None:
        """The process that has `pid` now, None if there is none or only its zombie."""
        fields = _stat(pid, proc)
        if fields is None or fields[0] == "Z":
            return None
        return cls(pid, int(fields[19]))

    @classmethod
    def read(cls, file: Path) -> Identity | None:
        """What `write` wrote, None if there is nothing to be understood."""
        try:
            pid, start = file.read_text().split()
            return cls(int(pid), int(start))
        except (OSError, ValueError):
            return None

    def write(self, file: Path) -> None:
        partial = file.with_name(file.name + ".partial")
        partial.write_text(f"{self.pid} {self.start}\n")
        partial.replace(file)

    def is_alive(self, proc: Path = PROC) -> bool:
        return Identity.of(self.pid, proc) == self


def spawn(command: Sequence[str], log_file: Path) -> Identity:
    """Start `command` in a session of its own, writing to the end of `log_file`.

    Not through asyncio's subprocesses: those kill their process when the loop closes.
    Raises OSError.
    """
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
    identity = Identity.of(pid)
    if identity is None:
        reap(pid)
        raise ProcessLookupError(f"{command[0]} ended at once; see {log_file}")
    return identity


async def wait_gone(process: Identity) -> None:
    """Return when the process has ended, at once if it has."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    try:
        if not process.is_alive():
            return
        ended = loop.create_future()
        loop.add_reader(pidfd, lambda: None if ended.done() else ended.set_result(None))
        try:
            await ended
        finally:
            loop.remove_reader(pidfd)
    finally:
        os.close(pidfd)
        if not process.is_alive():
            reap(process.pid)


def reap(pid: int) -> None:
    """Take the exit status of an ended child, so that no zombie stays; nothing for others."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def send(process: Identity, number: signal.Signals) -> None:
    """Signal the process; nothing happens when it is gone."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # The pidfd is bound to whoever has the pid now; looking at it after opening makes it sure.
        if process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
    finally:
        os.close(pidfd)


async def end(processes: Sequence[Identity], number: signal.Signals, timeout_s: float) -> list[Identity]:
    """Signal processes, wait until they are gone; those left after `timeout_s` seconds."""
    for process in processes:
        send(process, number)
    waits = [asyncio.ensure_future(wait_gone(process)) for process in processes]
    if waits:
        _, pending = await asyncio.wait(waits, timeout=timeout_s)
        for wait in pending:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return [process for process in processes if process.is_alive()]


def running(proc: Path = PROC) -> Iterator[tuple[Identity, int, list[str]]]:
    """All processes with their parent's pid and arguments."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        fields = _stat(pid, proc)
        if fields is None or fields[0] == "Z":
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue
        yield Identity(pid, int(fields[19])), int(fields[1]), arguments


def shims_of(socket: Path, proc: Path = PROC) -> list[Identity]:
    """containerd's shims that report to the containerd at `socket`, with all below them."""
    everything = list(running(proc))
    found = [process for process, _, arguments in everything if _is_shim_of(arguments, socket)]
    pids = {process.pid for process in found}
    grown = True
    while grown:
        below = [process for process, parent, _ in everything if parent in pids and process.pid not in pids]
        grown = bool(below)
        found += below
        pids.update(process.pid for process in below)
    return found


def _is_shim_of(arguments: Sequence[str], socket: Path) -> bool:
    if not arguments or not arguments[0].endswith("containerd-shim-runc-v2"):
        return False
    return ("-address", str(socket)) in itertools.pairwise(arguments)


def _stat(pid: int, proc: Path) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on (its third); None without the process."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # The second field is the name in parentheses, and may hold blanks and parentheses itself.
    return text.rpartition(")")[2].split()
