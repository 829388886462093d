"""Cgroups and /proc on paper, of either version."""

from __future__ import annotations

from pathlib import Path

V1 = {
    "cpuacct/cpuacct.usage": "5000000000",
    "cpuacct/cpuacct.stat": "user 300\nsystem 200",
    "cpu/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000",
    "cpu/cpu.shares": "1024",
    "cpu/cpu.cfs_quota_us": "50000",
    "cpu/cpu.cfs_period_us": "100000",
    "memory/memory.usage_in_bytes": "1000",
    "memory/memory.limit_in_bytes": "4000",
    "memory/memory.memsw.limit_in_bytes": "4600",
    "memory/memory.max_usage_in_bytes": "2000",
    "memory/memory.failcnt": "7",
    "memory/memory.kmem.usage_in_bytes": "60",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3",
    "memory/memory.stat": (
        "cache 1\ntotal_cache 400\ntotal_rss 500\ntotal_mapped_file 20\ntotal_swap 100\ntotal_pgfault 11\n"
        "total_pgmajfault 2\ntotal_inactive_file 300\ntotal_active_file 90"
    ),
    "blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 8192\n8:0 Total "
    "12288\nTotal 1",
    "blkio/blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\nTotal 3",
    "pids/pids.current": "5",
    "pids/pids.max": "max",
}
V2 = {
    "cpu.stat": (
        "usage_usec 5000000\nuser_usec 3000000\nsystem_usec 2000000\nnr_periods 10\nnr_throttled 4\n"
        "throttled_usec 2500000"
    ),
    "cpu.weight": "39",
    "cpu.max": "50000 100000",
    "memory.current": "1000",
    "memory.max": "4000",
    "memory.swap.max": "600",
    "memory.swap.current": "100",
    "memory.peak": "2000",
    "memory.events": "low 0\nmax 7\noom 3\noom_kill 3",
    "memory.stat": (
        "anon 500\nfile 400\nkernel 60\nfile_mapped 20\npgfault 11\npgmajfault 2\ninactive_file "
        "300\nactive_file 90"
    ),
    "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0",
    "pids.current": "5",
    "pids.max": "max",
    "cpu.pressure": "some avg10=0.00 total=2000000\nfull avg10=0.00 total=1000000",
}
NET_DEV = (
    "Inter-|   Receive |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes\n"
    "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
    "  eth0: 100 10 1 2 0 0 0 0 200 20 3 4 0 0 0 0\n"
)


def write_cgroup(mount: Path, path: str, *, version: int, pid: int | None = None) -> None:
    """A cgroup at `path` with the usual figures, and with `pid` in it."""
    relative = path.strip("/")
    mount.mkdir(parents=True, exist_ok=True)
    if version == 2:
        (mount / "cgroup.controllers").write_text("cpu memory")
        files = {str(Path(relative, name)): text for name, text in V2.items()}
        procs = [relative]
    else:
        parted = {name: Path(name) for name in V1}
        files = {str(part.parent / relative / part.name): V1[name] for name, part in parted.items()}
        procs = [f"pids/{relative}"]
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text + "\n")
    for place in procs:
        (mount / place / "cgroup.procs").write_text(f"{pid}\n" if pid is not None else "")


def write_proc(proc: Path, pid: int) -> None:
    """As much of /proc as figures need: the machine's, and the network of `pid`."""
    proc.mkdir(parents=True, exist_ok=True)
    (proc / "stat").write_text("cpu  10 20 30 400 50 6 7 8 0 0\ncpu0 1 1 1 1 1 1 1 1\nbtime 1700000000\n")
    (proc / "meminfo").write_text(
        "MemTotal: 10 kB\nMemFree: 3 kB\nMemAvailable: 6 kB\nAnonPages: 2 kB\nSwapTotal: 5 kB\nSwapFree: "
        "4 kB\n"
    )
    (proc / "vmstat").write_text("nr_free 1\npgfault 12\npgmajfault 3\n")
    (proc / "loadavg").write_text("0.1 0.1 0.1 2/321 999\n")
    (proc / "sys/kernel").mkdir(parents=True)
    (proc / "sys/kernel/pid_max").write_text("32768\n")
    (proc / "net").mkdir()
    (proc / "net/route").write_text("Iface Destination Gateway\neth0 00000000 0101\n")
    for one in ("self", str(pid)):
        (proc / one / "net").mkdir(parents=True)
        (proc / one / "net/dev").write_text(NET_DEV)
