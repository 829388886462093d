"""What belongs to one containerd: its processes, mounts and cgroups."""

from __future__ import annotations

from pathlib import Path

from tests.kit.proc import proc_entry
from wherry.kit.processes import ProcessRecord
from wherry.kubelet.runtimes.containerd.cgroups import processes_in, remove_cgroup
from wherry.kubelet.runtimes.containerd.processes import containerd_of, shims_of
from wherry.kubelet.runtimes.containerd.remains import mounts_below
from wherry.kubelet.volumes.mounts import SystemMounts


def test_shims_are_found_with_everything_below_them(tmp_path: Path) -> None:
    shim = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-address"]
    proc_entry(tmp_path, 10, 1, [*shim, "/run/a.sock"])
    proc_entry(tmp_path, 11, 10, ["/pause"])
    proc_entry(tmp_path, 12, 11, ["sleep"])
    proc_entry(tmp_path, 20, 1, [*shim, "/run/b.sock"])
    proc_entry(tmp_path, 21, 20, ["/pause"])
    found = shims_of(Path("/run/a.sock"), tmp_path)
    assert sorted(process.pid for process in found) == [10, 11, 12]


def test_a_containerd_is_known_by_its_arguments(tmp_path: Path) -> None:
    proc_entry(tmp_path, 10, 1, ["/usr/bin/containerd", "--config", "/run/b/config.toml"])
    assert containerd_of(Path("/run/a/config.toml"), tmp_path) is None
    proc_entry(tmp_path, 11, 1, ["/usr/bin/containerd", "--config", "/run/a/config.toml"])
    assert containerd_of(Path("/run/a/config.toml"), tmp_path) == ProcessRecord(11, 110)


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
