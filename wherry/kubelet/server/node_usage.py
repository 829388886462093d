"""What the machine as a whole uses, from /proc, and rates from totals.

CPU use is a growing total; a rate needs two samples. The former sample of each is kept, so a rate is over the
time since somebody last asked, at least `LEAST_WINDOW_S`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

LEAST_WINDOW_S = 1.0
_TICK_NS = 10_000_000  # USER_HZ is 100 wherever Linux runs


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What the whole machine uses; sizes in bytes."""

    time: datetime
    cpu_total_ns: int
    memory_usage_bytes: int
    memory_working_set_bytes: int
    memory_available_bytes: int
    memory_rss_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    swap_total_bytes: int = 0
    swap_free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DiskUse:
    """A file system: sizes in bytes, and inodes."""

    capacity: int
    available: int
    used: int
    inodes: int
    inodes_free: int


def read_node_usage(now: datetime, proc: Path = Path("/proc")) -> NodeUsage:
    """The machine's use, from /proc. Raises OSError."""
    first = (proc / "stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in first[1:9])
    lines = (line.partition(":") for line in (proc / "meminfo").read_text().splitlines())
    memory = {name: int(value.split()[0]) * 1024 for name, _, value in lines}
    total, available = memory["MemTotal"], memory["MemAvailable"]
    events = _pairs(proc / "vmstat")
    return NodeUsage(
        time=now,
        cpu_total_ns=(user + nice + system + irq + softirq + steal) * _TICK_NS,
        memory_usage_bytes=total - memory["MemFree"],
        memory_working_set_bytes=total - available,
        memory_available_bytes=available,
        memory_rss_bytes=memory.get("AnonPages", 0),
        page_faults=events.get("pgfault", 0),
        major_page_faults=events.get("pgmajfault", 0),
        swap_total_bytes=memory.get("SwapTotal", 0),
        swap_free_bytes=memory.get("SwapFree", 0),
    )


def read_disk(path: Path) -> DiskUse:
    """The file system `path` lies on. Raises OSError."""
    found = os.statvfs(path)
    return DiskUse(
        capacity=found.f_blocks * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        used=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
    )


def _pairs(path: Path) -> dict[str, int]:
    try:
        lines = (line.split() for line in path.read_text().splitlines())
    except OSError:
        return {}
    return {pair[0]: int(pair[1]) for pair in lines if len(pair) == 2 and pair[1].isdigit()}


class Rates:
    """CPU use per second, from totals handed in over time."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[datetime, int]] = {}
        self._rates: dict[str, int] = {}

    def nanocores(self, key: str, time: datetime, total_ns: int) -> int | None:
        """Nanoseconds of CPU per second since the sample before; None until there is one."""
        before = self._before.get(key)
        if before is None:
            self._before[key] = (time, total_ns)
            return None
        elapsed_s = (time - before[0]).total_seconds()
        if elapsed_s >= LEAST_WINDOW_S:
            self._before[key] = (time, total_ns)
            self._rates[key] = max(round((total_ns - before[1]) / elapsed_s), 0)
        return self._rates.get(key)

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all but `keys`."""
        present = set(keys)
        for key in self._before.keys() - present:
            del self._before[key]
            self._rates.pop(key, None)
