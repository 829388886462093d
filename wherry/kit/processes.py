"""Processes that outlive whoever started them, told apart from strangers that got their pid.

A pid alone says nothing after a reboot or a wrap-around; together with the start time the kernel
keeps (`/proc/<pid>/stat`, field 22) it is unique. A `ProcessRecord` on disk holds both. What waits for
ends is a pidfd, which works for any process and needs no signal handler (`kit/children` does it on an
event loop; the supervisor has none and polls them).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from wherry.kit.named_files import named

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process: its pid and its start time in clock ticks since boot."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int, proc: Path = PROC) -> ProcessRecord | None:
        """The record of a living process, None when there is none (or only a zombie)."""
        fields = _stat(pid, proc)
        return None if fields is None else cls(pid, int(fields[19]))

    @classmethod
    def read(cls, path: Path, proc: Path = PROC) -> ProcessRecord | None:
        """The process a pid file names, if it is alive and the same one."""
        try:
            content = json.loads(path.read_text())
            record = cls(int(content["pid"]), int(content["start_ticks"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None  # no file, or cut short by a crash: either way nobody to be found by it
        return record if record.is_alive(proc) else None

    def write(self, path: Path) -> None:
        """Leave the record for later commands. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with named(path):
            temporary.write_text(json.dumps(asdict(self)))
            temporary.replace(path)

    def is_alive(self, proc: Path = PROC) -> bool:
        """Whether this very process still runs."""
        return ProcessRecord.of(self.pid, proc) == self

    def arguments(self, proc: Path = PROC) -> list[str]:
        """Its command line, [] when it is gone or not ours to see."""
        try:
            return (proc / str(self.pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            return []

    def started_at(self, proc: Path = PROC) -> float:
        """When it started, in seconds since 1970 by the clock as it goes now."""
        lines = (proc / "stat").read_text().splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + self.start_ticks / os.sysconf("SC_CLK_TCK")

    def open(self) -> int | None:
        """A pidfd (readable when the process ends); None when it has ended already."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # The pidfd is bound to whoever has the pid now; looking at it after opening makes it sure.
        if self.is_alive():
            return descriptor
        os.close(descriptor)
        return None

    def send(self, number: signal.Signals) -> None:
        """Signal the process; nothing happens when it is gone."""
        descriptor = self.open()
        if descriptor is None:
            return
        try:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)

    def terminate(self, grace_s: float) -> bool:
        """SIGTERM, SIGKILL after `grace_s` seconds; wait for the end. Whether SIGTERM was enough."""
        descriptor = self.open()
        if descriptor is None:
            return True
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if _ended(descriptor, grace_s):
                return True
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            _ended(descriptor, None)
            return False
        except ProcessLookupError:
            return True
        finally:
            os.close(descriptor)

    def resident_bytes(self) -> int:
        """Resident memory, 0 when the process is gone."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")


def running(proc: Path = PROC) -> Iterator[tuple[ProcessRecord, int, list[str]]]:
    """All processes with their parent's pid and arguments."""
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        fields = _stat(pid, proc)
        if fields is None:
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue
        yield ProcessRecord(pid, int(fields[19])), int(fields[1]), arguments


def _ended(descriptor: int, timeout_s: float | None) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if timeout_s is None else int(timeout_s * 1000)))


def _stat(pid: int, proc: Path) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on (its third); None without a living process."""
    try:
        text = (proc / str(pid) / "stat").read_bytes().decode(errors="replace")
    except OSError:
        return None
    # The second field is the name in parentheses, and may hold blanks and parentheses itself.
    fields = text.rpartition(")")[2].split()
    return None if not fields or fields[0] in ("Z", "X") else fields
