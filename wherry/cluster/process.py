"""Processes that outlive whoever started them, told apart from strangers that got their pid.

A pid alone says nothing after a reboot or a wrap-around; together with the start time the kernel
keeps (`/proc/<pid>/stat`, field 22) it is unique. A `ProcessRecord` on disk holds both.
"""

from __future__ import annotations

import json
import os
import select
import signal
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One process: its pid and its start time in clock ticks since boot."""

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessRecord | None:
        """The record of a living process, None when there is none (or only a zombie)."""
        ticks = _start_ticks(pid)
        return None if ticks is None else cls(pid, ticks)

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """The process a pid file names, if it is alive and the same one."""
        try:
            content = json.loads(path.read_text())
            record = cls(int(content["pid"]), int(content["start_ticks"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None  # no file, or cut short by a crash: either way nobody to be found by it
        return record if record.is_alive() else None

    def write(self, path: Path) -> None:
        """Leave the record for later commands."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return _start_ticks(self.pid) == self.start_ticks

    def open(self) -> int | None:
        """A pidfd (readable when the process ends); None when it has ended already."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if self.is_alive():
            return descriptor
        os.close(descriptor)
        return None

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
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")


def _ended(descriptor: int, timeout_s: float | None) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(None if timeout_s is None else int(timeout_s * 1000)))


def _start_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and parentheses: count fields from the last ")".
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])
