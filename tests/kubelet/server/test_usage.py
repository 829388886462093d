"""What cgroups, interfaces and the machine tell, from files of either version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kubelet.server.paper_cgroups import V1, write_cgroup, write_proc
from wherry.kubelet.server.cgroup_usage import CpuUse, MemoryUse, Pressure, read_usage
from wherry.kubelet.server.network_usage import default_interface, is_real, read_interfaces
from wherry.kubelet.server.node_usage import Rates, read_node_usage
from wherry.kubelet.server.sample import device_name

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)


@pytest.mark.parametrize("version", [1, 2])
def test_both_versions_tell_the_same(tmp_path: Path, version: int) -> None:
    write_cgroup(tmp_path, "/kubepods/podu/c", version=version)
    use = read_usage(tmp_path, "/kubepods/podu/c")
    assert use is not None
    assert use.cpu == CpuUse(5_000_000_000, 3_000_000_000, 2_000_000_000, 10, 4, 2_500_000_000)
    assert use.memory == MemoryUse(
        usage=1000,
        working_set=700,
        rss=500,
        cache=400,
        mapped_file=20,
        swap=100,
        swap_limit=600,
        faults=11,
        major_faults=2,
        limit=4000,
        most=2000,
        limit_hits=7,
        kernel=60,
        active_file=90,
        inactive_file=300,
    )
    assert (use.processes, use.threads_limit, use.oom_kills) == (5, None, 3)
    assert (use.quota_us, use.period_us) == (50_000, 100_000)
    assert use.shares == (1024 if version == 1 else 998)
    assert use.io == {"8:0": (4096, 8192, 1, 2)}
    assert use.pressure == ({} if version == 1 else {"cpu": Pressure(2_000_000, 1_000_000)})


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_not_there_is_none(tmp_path: Path, version: int) -> None:
    write_cgroup(tmp_path, "/kubepods", version=version)
    assert read_usage(tmp_path, "/kubepods/gone") is None
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "cgroup.controllers":
            file.write_bytes(b"\xff what is this 12 x\n")
    use = read_usage(tmp_path, "/kubepods")
    assert use is not None
    assert (use.cpu, use.memory, use.processes, dict(use.pressure)) == (None, None, None, {})


def test_a_memory_limit_of_everything_is_none(tmp_path: Path) -> None:
    write_cgroup(tmp_path, "/a", version=1)
    (tmp_path / "memory/a/memory.limit_in_bytes").write_text("9223372036854771712\n")
    use = read_usage(tmp_path, "/a", is_whole=False)
    assert use is not None
    assert use.memory is not None
    assert use.memory.limit == 0
    assert use.memory.most == 0, "not read where cpu and memory alone are asked for"
    assert V1


def test_interfaces(tmp_path: Path) -> None:
    write_proc(tmp_path, 42)
    (one,) = read_interfaces(tmp_path, 42)
    assert (one.name, one.received_bytes, one.receive_dropped, one.sent_bytes, one.send_errors) == (
        "eth0",
        100,
        2,
        200,
        3,
    )
    assert read_interfaces(tmp_path, 43) == []
    assert default_interface(tmp_path) == "eth0"
    assert default_interface(tmp_path / "none") == ""
    assert [name for name in ("eth0", "veth1", "wh-x", "br-1", "wlan0") if is_real(name)] == ["eth0", "wlan0"]


def test_devices_have_names(tmp_path: Path) -> None:
    (tmp_path / "dev/block").mkdir(parents=True)
    (tmp_path / "dev/block/8:0").symlink_to("../../devices/pci/sda")
    assert device_name("8:0", tmp_path) == "/dev/sda"
    assert device_name("9:9", tmp_path) == "9:9"


def test_the_machines_use(tmp_path: Path) -> None:
    write_proc(tmp_path, 1)
    usage = read_node_usage(NOW, tmp_path)
    # Idle and waiting for disks is not use.
    assert usage.cpu_total_ns == (10 + 20 + 30 + 6 + 7 + 8) * 10_000_000
    assert usage.memory_usage_bytes == 7 * 1024
    assert usage.memory_working_set_bytes == 4 * 1024
    assert (usage.swap_total_bytes, usage.swap_free_bytes) == (5 * 1024, 4 * 1024)
    assert (usage.page_faults, usage.major_page_faults, usage.memory_rss_bytes) == (12, 3, 2048)


def test_rates_need_two_samples() -> None:
    rates = Rates()
    assert rates.nanocores("a", NOW, 1_000) is None
    assert rates.nanocores("a", NOW + timedelta(milliseconds=10), 2_000) is None
    assert rates.nanocores("a", LATER, 11_000) == 1_000
    # Asked again at once, the last rate is still the answer.
    assert rates.nanocores("a", LATER + timedelta(milliseconds=10), 99_000) == 1_000
    rates.keep([])
    assert rates.nanocores("a", LATER, 11_000) is None
