"""A cgroup by its path, below one hierarchy or below every controller."""

from __future__ import annotations

from pathlib import Path

from wherry.kit.cgroups import cgroup_directories, processes_in, remove_cgroup


def test_cgroups_exist_once_below_every_controller(tmp_path: Path) -> None:
    for controller in ("cpu", "memory"):
        leaf = tmp_path / controller / "kubepods/pod1"
        leaf.mkdir(parents=True)
    (tmp_path / "memory/kubepods/pod1/cgroup.procs").write_text("7\n8\n")
    assert processes_in("/kubepods", tmp_path) == {7, 8}
    assert processes_in("", tmp_path) == set()
    (tmp_path / "memory/kubepods/pod1/cgroup.procs").unlink()
    assert remove_cgroup("/kubepods", tmp_path)
    assert not (tmp_path / "cpu/kubepods").exists()
    assert not (tmp_path / "memory/kubepods").exists()
    assert (tmp_path / "cpu").exists()


def test_one_in_use_stays(tmp_path: Path) -> None:
    """A directory with a file in it cannot be removed, as little as a cgroup with a process."""
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "kubepods/pod1").mkdir(parents=True)
    (tmp_path / "kubepods/pod1/busy").touch()
    assert not remove_cgroup("/kubepods", tmp_path)
    (tmp_path / "kubepods/pod1/busy").unlink()
    assert remove_cgroup("/kubepods", tmp_path)
    assert cgroup_directories("/kubepods", tmp_path) == []


def test_a_machine_without_cgroups(tmp_path: Path) -> None:
    assert remove_cgroup("/kubepods", tmp_path / "none")
    assert processes_in("/kubepods", tmp_path / "none") == set()
