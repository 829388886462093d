"""Knowing a process again, and hearing of its end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from wherry.kubelet.runtimes.containerd.cgroups import processes_in, remove_cgroup
from wherry.kubelet.runtimes.containerd.processes import Identity, end, shims_of, spawn, wait_gone
from wherry.kubelet.runtimes.containerd.remains import mounts_below
from wherry.kubelet.volumes.mounts import SystemMounts


def proc_entry(proc: Path, pid: int, parent: int, arguments: list[str], state: str = "S") -> None:
    (proc / str(pid)).mkdir(parents=True)
    fields = [state, str(parent), *["0"] * 17, str(pid * 10)]
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b (c) {' '.join(fields)}\n")
    (proc / str(pid) / "cmdline").write_bytes("".join(f"{word}\0" for word in arguments).encode())


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    proc_entry(tmp_path, 5, 1, ["x"])
    first = Identity.of(5, tmp_path)
    assert first == Identity(5, 50)
    assert first.is_alive(tmp_path)
    assert not Identity(5, 49).is_alive(tmp_path)
    assert Identity.of(6, tmp_path) is None


def test_zombies_do_not_live(tmp_path: Path) -> None:
    proc_entry(tmp_path, 5, 1, ["x"], state="Z")
    assert Identity.of(5, tmp_path) is None


def test_pid_files(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    assert Identity.read(file) is None
    Identity(5, 50).write(file)
    assert Identity.read(file) == Identity(5, 50)
    file.write_text("garbage")
    assert Identity.read(file) is None


def test_shims_are_found_with_everything_below_them(tmp_path: Path) -> None:
    shim = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-address"]
    proc_entry(tmp_path, 10, 1, [*shim, "/run/a.sock"])
    proc_entry(tmp_path, 11, 10, ["/pause"])
    proc_entry(tmp_path, 12, 11, ["sleep"])
    proc_entry(tmp_path, 20, 1, [*shim, "/run/b.sock"])
    proc_entry(tmp_path, 21, 20, ["/pause"])
    found = shims_of(Path("/run/a.sock"), tmp_path)
    assert sorted(process.pid for process in found) == [10, 11, 12]


async def test_ends_are_heard_of(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], tmp_path / "log")
    assert os.getsid(process.pid) == process.pid
    waiting = asyncio.ensure_future(wait_gone(process))
    assert await end([process], signal.SIGTERM, 5) == []
    await waiting
    assert not process.is_alive()
    await wait_gone(process)


async def test_who_does_not_end_is_told(tmp_path: Path) -> None:
    process = spawn(["/bin/sleep", "60"], tmp_path / "log")
    # A signal that is ignored unless asked for.
    assert await end([process], signal.SIGURG, 0.01) == [process]
    assert await end([process], signal.SIGKILL, 5) == []


def test_mounts_newest_first(tmp_path: Path) -> None:
    info = tmp_path / "mountinfo"
    points = ["/", "/run/x", "/run/x/a", "/run/x/a/b", r"/run/x/with\040blank", "/run/xy"]
    info.write_text("".join(f"1 2 0:3 / {point} rw - tmpfs none rw\n" for point in points))
    assert mounts_below([Path("/run/x")], info) == [
        Path("/run/x/with blank"),
        Path("/run/x/a/b"),
        Path("/run/x/a"),
    ]


def test_mounts_below_a_link_are_found(tmp_path: Path) -> None:
    """The table names real paths; who misses one deletes what is bound there."""
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    info = tmp_path / "mountinfo"
    info.write_text(f"1 2 0:3 / {tmp_path.resolve()}/real/a rw - tmpfs none rw\n")
    assert mounts_below([tmp_path / "link"], info) == [tmp_path.resolve() / "real" / "a"]
    assert SystemMounts(info).below(tmp_path / "link") == [tmp_path.resolve() / "real" / "a"]


def test_cgroups_exist_once_below_every_controller(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        leaf = tmp_path / controller / "kubepods/pod1"
        leaf.mkdir(parents=True)
    (tmp_path / "memory/kubepods/pod1/cgroup.procs").write_text("7\n8\n")
    assert processes_in("/kubepods", tmp_path) == {7, 8}
    assert processes_in("", tmp_path) == set()
    (tmp_path / "memory/kubepods/pod1/cgroup.procs").unlink()
    remove_cgroup("/kubepods", tmp_path)
    assert not (tmp_path / "cpu/kubepods").exists()
    assert not (tmp_path / "memory/kubepods").exists()
    assert (tmp_path / "cpu").exists()
