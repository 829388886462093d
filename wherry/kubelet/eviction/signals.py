"""What is left of the node's memory, disk and process ids, and from where on that is too little.

The signals, thresholds and their order are upstream's (`pkg/kubelet/eviction/helpers.go`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from wherry.kit.integers import go_real
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.machine import read_memory, read_processes
from wherry.objects.quantity import format_quantity, parse_quantity, whole


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that can run short: the condition of the Node it means, the resource to be reclaimed."""

    name: str
    condition: str
    resource: str


MEMORY = Signal("memory.available", "MemoryPressure", "memory")
NODE_DISK = Signal("nodefs.available", "DiskPressure", "ephemeral-storage")
NODE_INODES = Signal("nodefs.inodesFree", "DiskPressure", "inodes")
IMAGE_DISK = Signal("imagefs.available", "DiskPressure", "ephemeral-storage")
IMAGE_INODES = Signal("imagefs.inodesFree", "DiskPressure", "inodes")
PIDS = Signal("pid.available", "PIDPressure", "pids")
SIGNALS = (MEMORY, NODE_DISK, NODE_INODES, IMAGE_DISK, IMAGE_INODES, PIDS)
"""In the order in which they are dealt with: memory first, as it cannot wait."""
CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class Threshold:
    """How much must be left: an amount, or a share of all there is."""

    amount: int = 0
    percent: float = 0.0

    def of(self, capacity: int) -> int:
        """The amount, for so much in all."""
        return int(capacity * self.percent / 100) if self.percent else self.amount


@dataclass(frozen=True, slots=True)
class Observation:
    """What is left of how much: bytes, inodes or process ids."""

    available: int
    capacity: int


Observations = Mapping[Signal, Observation]
Observe = Callable[[Path, Path | None, Path], Observations]
"""Looks at what is left, as `observe` does."""


def threshold_of(text: str) -> Threshold:
    """A threshold as users write one: `100Mi`, `10%`. Raises ValueError."""
    if not text.endswith("%"):
        amount = parse_quantity(text)
        if amount < 0:
            raise ValueError(f"{text} is less than nothing")
        return Threshold(amount=whole(text))
    percent = go_real(text[:-1])
    if not 0 <= percent <= 100:
        raise ValueError(f"{text} is no share of all there is")
    return Threshold(percent=percent)


def read_thresholds(said: Mapping[str, str]) -> dict[Signal, Threshold]:
    """Thresholds by signal; a signal without one, or with one of nothing, is not heeded."""
    found = {signal: threshold_of(said[signal.name]) for signal in SIGNALS if signal.name in said}
    return {signal: limit for signal, limit in found.items() if limit.amount or limit.percent}


def thresholds(config: KubeletConfig) -> dict[Signal, Threshold]:
    """The node's hard thresholds."""
    return read_thresholds(config.eviction_hard)


def observe(root_dir: Path, image_dir: Path | None, proc: Path) -> dict[Signal, Observation]:
    """What is left now. `root_dir` is on the disk pods use, `image_dir` on that of images, if known.

    What a file system does not count (inodes, with some) is left out. Raises OSError.
    """
    memory = read_memory(proc)
    found = {MEMORY: Observation(memory.available_bytes, memory.total_bytes)}
    disks = [(root_dir, NODE_DISK, NODE_INODES)]
    if image_dir is not None:
        disks.append((image_dir, IMAGE_DISK, IMAGE_INODES))
    for directory, space, inodes in disks:
        disk = os.statvfs(directory)
        if disk.f_blocks:
            found[space] = Observation(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
        if disk.f_files:
            found[inodes] = Observation(disk.f_favail, disk.f_files)
    processes = read_processes(proc)
    found[PIDS] = Observation(processes.most - processes.now, processes.most)
    return found


NOTHING = Threshold()


def crossed(
    limits: Mapping[Signal, Threshold],
    seen: Observations,
    more: Mapping[Signal, Threshold] = MappingProxyType({}),
) -> list[Signal]:
    """The signals of which too little is left, in the order in which they are dealt with.

    `more` is what must be left beyond the threshold (upstream's minimum reclaim).
    """
    found = []
    for signal in SIGNALS:
        if signal in seen and signal in limits:
            capacity = seen[signal].capacity
            wanted = limits[signal].of(capacity) + more.get(signal, NOTHING).of(capacity)
            if seen[signal].available < wanted:
                found.append(signal)
    return found


class Pressure:
    """The pressure conditions of the node: each stays for `transition_s` after it was last met.

    Upstream's `evictionPressureTransitionPeriod`.
    """

    def __init__(self, transition_s: float) -> None:
        self._transition_s = transition_s
        self._met_at: dict[str, float] = {}

    def note(self, signals: Sequence[Signal], now_s: float) -> None:
        """These signals are crossed at the (monotonic) time `now_s`."""
        self._met_at.update((signal.condition, now_s) for signal in signals)

    def conditions(self, now_s: float) -> list[str]:
        """The conditions that are true at `now_s`."""
        met_at = self._met_at
        return [c for c in CONDITIONS if c in met_at and now_s - met_at[c] < self._transition_s]


def format_amount(resource: str, amount: int) -> str:
    """An amount of a resource as upstream writes it: bytes with binary suffixes, counts with decimal ones."""
    is_bytes = resource in ("memory", "ephemeral-storage")
    return format_quantity(Decimal(amount), "binary" if is_bytes else "decimal")
