"""What a cgroup uses, from the files of either version: `read_usage`.

A cgroup that vanishes meanwhile, and figures the kernel does not keep, are None; nothing here raises.
cAdvisor's meanings (google/cadvisor, container/libcontainer/handler.go): the working set is what is used
without files that could be dropped at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

UNLIMITED_B = 1 << 62
_TICK_NS = 10_000_000  # USER_HZ is 100 wherever Linux runs
_V1 = ("cpuacct", "cpu", "memory", "blkio", "pids")


@dataclass(frozen=True, slots=True)
class CpuUse:
    """Nanoseconds of processors since the cgroup was made, and how often it was throttled."""

    total_ns: int
    user_ns: int = 0
    system_ns: int = 0
    periods: int | None = None
    throttled: int = 0
    throttled_ns: int = 0


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Bytes; `limit` is 0 for none. Faults are counts."""

    usage: int
    working_set: int
    rss: int = 0
    cache: int = 0
    mapped_file: int = 0
    swap: int | None = None
    swap_limit: int | None = None
    faults: int = 0
    major_faults: int = 0
    limit: int = 0
    most: int = 0
    limit_hits: int = 0
    kernel: int = 0
    active_file: int = 0
    inactive_file: int = 0


@dataclass(frozen=True, slots=True)
class Pressure:
    """Microseconds that tasks waited (PSI): some of them, all of them."""

    some_us: int
    full_us: int


@dataclass(frozen=True, slots=True)
class CgroupUse:
    """Everything of one cgroup. `io` has, by device "MAJOR:MINOR", bytes and operations read and written."""

    cpu: CpuUse | None = None
    memory: MemoryUse | None = None
    processes: int | None = None
    threads_limit: int | None = None
    shares: int | None = None
    quota_us: int = 0
    period_us: int = 0
    oom_kills: int = 0
    io: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)
    pressure: Mapping[str, Pressure] = field(default_factory=dict)


def read_usage(mount: Path, path: str, *, is_whole: bool = True) -> CgroupUse | None:
    """What the cgroup `path` below `mount` uses, None when it is not there; without `is_whole` cpu and

    memory alone.
    """
    relative = path.strip("/")
    if (mount / "cgroup.controllers").exists():
        directory = mount / relative
        return _read_v2(directory, is_whole=is_whole) if directory.is_dir() else None
    places = {name: mount / name / relative for name in _V1}
    if not places["cpuacct"].is_dir() and not places["memory"].is_dir():
        return None
    return _read_v1(places, is_whole=is_whole)


def _read_v1(at: Mapping[str, Path], *, is_whole: bool) -> CgroupUse:
    cpu, memory = _cpu_v1(at, is_whole=is_whole), _memory_v1(at["memory"], is_whole=is_whole)
    if not is_whole:
        return CgroupUse(cpu=cpu, memory=memory)
    oom = _pairs(at["memory"] / "memory.oom_control")
    return CgroupUse(
        cpu=cpu,
        memory=memory,
        processes=_int(at["pids"] / "pids.current"),
        threads_limit=_int(at["pids"] / "pids.max"),
        shares=_int(at["cpu"] / "cpu.shares"),
        quota_us=max(_int(at["cpu"] / "cpu.cfs_quota_us") or 0, 0),
        period_us=_int(at["cpu"] / "cpu.cfs_period_us") or 0,
        oom_kills=oom.get("oom_kill", 0),
        io=_io_v1(at["blkio"]),
    )


def _cpu_v1(at: Mapping[str, Path], *, is_whole: bool) -> CpuUse | None:
    total = _int(at["cpuacct"] / "cpuacct.usage")
    if total is None:
        return None
    if not is_whole:
        return CpuUse(total)
    split, throttling = _pairs(at["cpuacct"] / "cpuacct.stat"), _pairs(at["cpu"] / "cpu.stat")
    return CpuUse(
        total,
        split.get("user", 0) * _TICK_NS,
        split.get("system", 0) * _TICK_NS,
        throttling.get("nr_periods"),
        throttling.get("nr_throttled", 0),
        throttling.get("throttled_time", 0),
    )


def _memory_v1(at: Path, *, is_whole: bool) -> MemoryUse | None:
    usage = _int(at / "memory.usage_in_bytes")
    if usage is None:
        return None
    stat = _pairs(at / "memory.stat")
    limit = _int(at / "memory.limit_in_bytes") or 0
    both = _int(at / "memory.memsw.limit_in_bytes")
    inactive = stat.get("total_inactive_file", 0)
    return MemoryUse(
        usage=usage,
        working_set=max(usage - inactive, 0),
        rss=stat.get("total_rss", 0),
        cache=stat.get("total_cache", 0),
        mapped_file=stat.get("total_mapped_file", 0),
        swap=stat.get("total_swap"),
        swap_limit=max(both - limit, 0) if both is not None and both < UNLIMITED_B else None,
        faults=stat.get("total_pgfault", 0),
        major_faults=stat.get("total_pgmajfault", 0),
        limit=limit if limit < UNLIMITED_B else 0,
        most=(_int(at / "memory.max_usage_in_bytes") or 0) if is_whole else 0,
        limit_hits=(_int(at / "memory.failcnt") or 0) if is_whole else 0,
        kernel=(_int(at / "memory.kmem.usage_in_bytes") or 0) if is_whole else 0,
        active_file=stat.get("total_active_file", 0),
        inactive_file=inactive,
    )


def _io_v1(at: Path) -> dict[str, tuple[int, int, int, int]]:
    found: dict[str, list[int]] = {}
    for offset, name in ((0, "io_service_bytes"), (2, "io_serviced")):
        for line in _text(at / f"blkio.throttle.{name}_recursive").splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[1] in ("Read", "Write") and parts[2].isdigit():
                place = offset + (parts[1] == "Write")
                found.setdefault(parts[0], [0, 0, 0, 0])[place] = int(parts[2])
    return {device: (r, w, n_r, n_w) for device, (r, w, n_r, n_w) in found.items()}


def _read_v2(at: Path, *, is_whole: bool) -> CgroupUse:
    stat = _pairs(at / "cpu.stat")
    cpu = None
    if "usage_usec" in stat:
        cpu = CpuUse(
            stat["usage_usec"] * 1000,
            stat.get("user_usec", 0) * 1000,
            stat.get("system_usec", 0) * 1000,
            stat.get("nr_periods"),
            stat.get("nr_throttled", 0),
            stat.get("throttled_usec", 0) * 1000,
        )
    memory = _memory_v2(at, is_whole=is_whole)
    if not is_whole:
        return CgroupUse(cpu=cpu, memory=memory)
    quota, _, period = _text(at / "cpu.max").strip().partition(" ")
    weight = _int(at / "cpu.weight")
    return CgroupUse(
        cpu=cpu,
        memory=memory,
        processes=_int(at / "pids.current"),
        threads_limit=_int(at / "pids.max"),
        shares=None if weight is None else 2 + ((weight - 1) * 262_142) // 9999,
        quota_us=int(quota) if quota.isdigit() else 0,
        period_us=int(period) if period.isdigit() else 0,
        oom_kills=_pairs(at / "memory.events").get("oom_kill", 0),
        io=_io_v2(at / "io.stat"),
        pressure={
            name: found for name in ("cpu", "memory", "io") if (found := _psi(at / f"{name}.pressure"))
        },
    )


def _memory_v2(at: Path, *, is_whole: bool) -> MemoryUse | None:
    stat = _pairs(at / "memory.stat")
    usage = _int(at / "memory.current")
    if usage is None and not at.parent.joinpath("cgroup.controllers").exists() and stat:
        usage = stat.get("anon", 0) + stat.get("file", 0) + stat.get("kernel", 0)  # the root tells no usage
    if usage is None:
        return None
    limit = _int(at / "memory.max") or 0
    inactive = stat.get("inactive_file", 0)
    return MemoryUse(
        usage=usage,
        working_set=max(usage - inactive, 0),
        rss=stat.get("anon", 0),
        cache=stat.get("file", 0),
        mapped_file=stat.get("file_mapped", 0),
        swap=_int(at / "memory.swap.current"),
        swap_limit=_int(at / "memory.swap.max"),
        faults=stat.get("pgfault", 0),
        major_faults=stat.get("pgmajfault", 0),
        limit=limit,
        most=(_int(at / "memory.peak") or 0) if is_whole else 0,
        limit_hits=_pairs(at / "memory.events").get("max", 0) if is_whole else 0,
        kernel=stat.get("kernel", 0),
        active_file=stat.get("active_file", 0),
        inactive_file=inactive,
    )


def _io_v2(path: Path) -> dict[str, tuple[int, int, int, int]]:
    found = {}
    for line in _text(path).splitlines():
        device, *pairs = line.split()
        values = dict(pair.partition("=")[::2] for pair in pairs)
        r, w, n_r, n_w = (int(values.get(name, "0")) for name in ("rbytes", "wbytes", "rios", "wios"))
        found[device] = (r, w, n_r, n_w)
    return found


def _psi(path: Path) -> Pressure | None:
    totals = {}
    for line in _text(path).splitlines():
        kind, *pairs = line.split()
        total = dict(pair.partition("=")[::2] for pair in pairs).get("total", "")
        if total.isdigit():
            totals[kind] = int(total)
    return Pressure(totals.get("some", 0), totals.get("full", 0)) if totals else None


def _text(path: Path) -> str:
    """The file's text, "" for one that is not there or cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(file, 64 * 1024).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(file)


def _int(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _pairs(path: Path) -> dict[str, int]:
    found = {}
    for line in _text(path).splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found
