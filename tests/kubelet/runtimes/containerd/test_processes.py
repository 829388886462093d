"""What belongs to one containerd: its processes."""

from __future__ import annotations

from pathlib import Path

from tests.kit.proc import proc_entry
from wherry.kit.processes import ProcessRecord
from wherry.kubelet.runtimes.containerd.processes import containerd_of, shims_of


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
