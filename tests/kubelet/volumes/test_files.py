"""Atomic writing, sub-paths and ownership, on a real file system."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kubelet.rig import FakeMounts
from wherry.kubelet.volumes.atomic_writer import write_atomically
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.mounts import SystemMounts
from wherry.kubelet.volumes.ownership import give_to_group
from wherry.kubelet.volumes.payload import File, Payload
from wherry.kubelet.volumes.sub_path import bind_sub_path

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def payload(**files: str) -> Payload:
    return {name.replace("__", "/"): File(text.encode(), 0o640) for name, text in files.items()}


def test_layout_is_upstreams(tmp_path: Path) -> None:
    assert write_atomically(tmp_path, payload(a="1", d__b="2"), NOW)
    version = (tmp_path / "..data").readlink()
    assert str(version).startswith("..2026_01_02_03_04_05.")
    assert str((tmp_path / "a").readlink()) == "..data/a"
    assert str((tmp_path / "d").readlink()) == "..data/d"
    assert (tmp_path / "d" / "b").read_text() == "2"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_nothing_is_touched_when_nothing_changed(tmp_path: Path) -> None:
    write_atomically(tmp_path, payload(a="1"), NOW)
    version = (tmp_path / "..data").readlink()
    assert not write_atomically(tmp_path, payload(a="1"), NOW)
    assert (tmp_path / "..data").readlink() == version


@pytest.mark.parametrize("change", [payload(a="2"), payload(b="1"), payload(a="1", b="1"), {}])
def test_changes_swap_the_whole(tmp_path: Path, change: Payload) -> None:
    write_atomically(tmp_path, payload(a="1"), NOW)
    assert write_atomically(tmp_path, change, NOW)
    visible = sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith(".."))
    assert visible == sorted(change)
    assert len([p for p in tmp_path.iterdir() if p.is_dir() and p.name.startswith("..2026")]) == 1


def test_interrupted_write_is_made_up_for(tmp_path: Path) -> None:
    write_atomically(tmp_path, payload(a="1"), NOW)
    (tmp_path / "..data_tmp").symlink_to("..nowhere")
    (tmp_path / "a").unlink()
    assert not write_atomically(tmp_path, payload(a="1"), NOW)
    assert (tmp_path / "a").read_text() == "1"
    assert write_atomically(tmp_path, payload(a="2"), NOW)
    assert (tmp_path / "a").read_text() == "2"


@pytest.mark.parametrize("path", ["/abs", "../up", "a/../../b", "..hidden", ""])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(MountFailure):
        write_atomically(tmp_path, {path: File(b"", 0o644)}, NOW)


def test_sub_path_is_made_and_bound(tmp_path: Path) -> None:
    volume, target = tmp_path / "volume", tmp_path / "sub" / "0"
    volume.mkdir(mode=0o775)
    mounts = FakeMounts()
    assert bind_sub_path(mounts, volume, "a/b", target) == target
    assert (volume / "a" / "b").is_dir()
    assert mounts.mounted == [target]


def test_sub_path_of_a_file_is_a_file(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    write_atomically(volume, payload(key="v"), NOW)
    target = bind_sub_path(FakeMounts(), volume, "key", tmp_path / "sub" / "0")
    assert target.is_file()


@pytest.mark.parametrize("sub_path", ["../out", "/etc", "link", "link/deeper"])
def test_sub_path_stays_inside(tmp_path: Path, sub_path: str) -> None:
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    volume.mkdir()
    outside.mkdir()
    (volume / "link").symlink_to(outside)
    with pytest.raises(MountFailure):
        bind_sub_path(FakeMounts(), volume, sub_path, tmp_path / "sub" / "0")
    assert list(outside.iterdir()) == []


def test_links_swapped_meanwhile_lead_nowhere(tmp_path: Path) -> None:
    """A container swaps a directory of its volume for a link to elsewhere, all the time."""
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    (volume / "real").mkdir(parents=True)
    (outside / "b").mkdir(parents=True)
    (volume / "link").symlink_to(outside)
    (volume / "a").symlink_to("real")
    ends = threading.Event()
    bound: list[str] = []

    class Recording(FakeMounts):
        def bind(self, source: Path, target: Path) -> None:
            bound.append(os.readlink(source))

    def swap() -> None:
        while not ends.is_set():
            for to in ("link", "real"):
                (volume / "next").symlink_to(to)
                (volume / "next").rename(volume / "a")

    thread = threading.Thread(target=swap)
    thread.start()
    refused = 0
    try:
        for _ in range(400):
            try:
                bind_sub_path(Recording(), volume, "a/b", tmp_path / "sub" / "0")
            except MountFailure:
                refused += 1
    finally:
        ends.set()
        thread.join()
    assert len(bound) + refused == 400
    assert all(path.startswith(f"{volume}/") for path in bound)
    assert [entry.name for entry in outside.iterdir()] == ["b"]
    assert list((outside / "b").iterdir()) == []


def test_group_gets_everything(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    before = Path("/etc/passwd").stat()
    gid = os.getgid()
    give_to_group(tmp_path, gid)
    assert (tmp_path / "d").stat().st_mode & stat.S_ISGID
    assert (tmp_path / "d" / "f").stat().st_mode & 0o060 == 0o060
    assert Path("/etc/passwd").stat() == before


@pytest.mark.cluster
def test_real_mounts(tmp_path: Path) -> None:
    mounts = SystemMounts()
    memory, bound = tmp_path / "memory", tmp_path / "bound"
    memory.mkdir()
    bound.mkdir()
    mounts.tmpfs(memory, 1024 * 1024)
    mounts.tmpfs(memory, 1024 * 1024)
    (memory / "f").write_text("x")
    mounts.bind(memory, bound)
    assert (bound / "f").read_text() == "x"
    assert mounts.below(tmp_path) == [bound, memory]
    for point in mounts.below(tmp_path):
        mounts.unmount(point)
    mounts.unmount(memory)
    assert mounts.below(tmp_path) == []


@pytest.mark.cluster
def test_real_huge_pages(tmp_path: Path) -> None:
    """The file system is there though no page is set aside; a size the machine does not have is refused."""
    mounts = SystemMounts()
    huge = tmp_path / "huge"
    huge.mkdir()
    try:
        assert mounts.huge_pages(huge, 2 * 1024 * 1024, 4 * 1024 * 1024)
        assert not mounts.huge_pages(huge, 2 * 1024 * 1024)
        assert mounts.below(tmp_path) == [huge]
        assert os.statvfs(huge).f_bsize == 2 * 1024 * 1024
    finally:
        mounts.unmount(huge)
    with pytest.raises(OSError, match="Invalid argument"):
        mounts.huge_pages(huge, 3 * 1024 * 1024)
