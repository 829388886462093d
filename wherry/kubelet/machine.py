"""The machine the agent runs on, as a Node tells of it: sizes, identity, and how short it is of things.

Everything is read from files and system calls below given paths, nothing is cached but by the caller.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.kubelet.topology.layout import read_huge_pages

ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the machine is and has. Memory in KiB as the kernel tells it, disk in bytes.

    Processors, memory and disks may come and go while the agent runs.
    """

    hostname: str
    cpus: int
    memory_kib: int
    disk_bytes: int
    machine_id: str
    system_uuid: str
    boot_id: str
    kernel: str
    os_image: str
    architecture: str
    huge_pages: Mapping[int, int] = field(default_factory=dict)
    """How many huge pages the kernel keeps, by their size in bytes."""

    @property
    def memory_bytes(self) -> int:
        """All memory."""
        return self.memory_kib * 1024

    @property
    def huge_page_bytes(self) -> int:
        """What of it is kept in huge pages."""
        return sum(size * count for size, count in self.huge_pages.items())


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's memory in bytes: all of it, and what can be had without swapping."""

    total_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True)
class Processes:
    """How many processes and threads there are, and may be."""

    now: int
    most: int


def read_machine(root_dir: Path, proc: Path = Path("/proc"), root: Path = Path("/")) -> Machine:
    """Read the machine's facts; `root_dir` lies on the disk pods use. Raises OSError."""
    uname = platform.uname()
    disk = os.statvfs(root_dir)
    machine_id = _text(root / "etc/machine-id") or _text(root / "var/lib/dbus/machine-id")
    return Machine(
        hostname=uname.node,
        cpus=len(os.sched_getaffinity(0)),
        memory_kib=_meminfo(proc).get("MemTotal", 0),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        machine_id=machine_id,
        system_uuid=_text(root / "sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=_text(proc / "sys/kernel/random/boot_id"),
        kernel=uname.release,
        os_image=_os_image(root) or "Linux",
        architecture=ARCHITECTURES.get(uname.machine, uname.machine),
        huge_pages=read_huge_pages(root / "sys/kernel/mm/hugepages"),
    )


def read_memory(proc: Path = Path("/proc")) -> Memory:
    """Read what is left of memory. Raises OSError."""
    found = _meminfo(proc)
    return Memory(found.get("MemTotal", 0) * 1024, found.get("MemAvailable", 0) * 1024)


def read_processes(proc: Path = Path("/proc")) -> Processes:
    """Read how many processes there are and may be."""
    most = int(_text(proc / "sys/kernel/pid_max") or 32768)
    now = int((_text(proc / "loadavg").split() or ["", "", "", "0/0"])[3].partition("/")[2])
    return Processes(now, most)


def _meminfo(proc: Path) -> dict[str, int]:
    found = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0])
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _os_image(root: Path) -> str:
    for line in _text(root / "etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip("\"'")
    return ""
