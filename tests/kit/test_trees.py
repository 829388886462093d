"""Trees of whatever shape go, and nothing beside them does."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.kit import trees
from wherry.kit.trees import TreeFailure, remove_directories, remove_tree, walk


def make_deep(top: Path, names: Iterator[str] | list[str], *, file: str = "") -> None:
    """Directories one in the other, made as a container makes them: by going into each."""
    top.mkdir(exist_ok=True)
    directory = os.open(top, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=directory)
        below = os.open(name, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
        if file:
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)


@pytest.mark.parametrize(
    "names", [["a"] * 1100, ["n" * 200] * 25, ["n" * 255] * 20], ids=["deep", "long", "longest"]
)
def test_no_depth_and_no_length_is_too_much(tmp_path: Path, names: list[str]) -> None:
    top = tmp_path / "volume"
    make_deep(top, names, file="left")
    (soft, hard) = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(128, len(os.listdir("/proc/self/fd")) + 16), hard))
    try:
        assert sum(1 for _ in walk(top)) == len(names) + 1
        remove_tree(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not top.exists()


def test_wide_and_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_BATCH", 3)
    top = tmp_path / "volume"
    for number in range(10):
        (top / f"d{number}" / "e" / "f").mkdir(parents=True)
        (top / f"d{number}" / "e" / "file").write_text("x")
        (top / f"empty{number}").mkdir()
        (top / f"f{number}").touch()
    os.mkfifo(top / "pipe")
    (top / os.fsdecode(b"\xff\n")).touch()
    remove_tree(top)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "inner"
    kept.mkdir(parents=True)
    (kept / "file").touch()
    top = tmp_path / "volume"
    (top / "d").mkdir(parents=True)
    (top / "d" / "out").symlink_to(tmp_path / "kept")
    (top / "up").symlink_to("..")
    (tmp_path / "link").symlink_to(top)
    remove_tree(tmp_path / "link")
    assert top.exists()
    assert not (tmp_path / "link").is_symlink()
    remove_tree(top)
    remove_tree(top)  # harmless
    assert (kept / "file").exists()


def test_what_is_mounted_below_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = tmp_path / "volume" / "a" / "bound"
    bound.mkdir(parents=True)
    (bound / "precious").touch()
    real = trees._mount_of
    inode = bound.stat().st_ino
    monkeypatch.setattr(trees, "_mount_of", lambda fd: -1 if os.fstat(fd).st_ino == inode else real(fd))
    with pytest.raises(TreeFailure, match="file system is mounted there") as raised:
        remove_tree(tmp_path / "volume")
    assert str(bound) in str(raised.value)
    assert (bound / "precious").exists()
    assert [names for _, names in walk(tmp_path / "volume")] == [["bound"], ["a"]]


def test_a_directory_moved_meanwhile_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    inner = tmp_path / "volume" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    real = os.unlink

    def unlink(name: str, *, dir_fd: int) -> None:
        real(name, dir_fd=dir_fd)
        inner.rename(elsewhere / "b")

    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(TreeFailure, match="was moved"):
        remove_tree(tmp_path / "volume")
    assert (elsewhere / "precious").exists()


def test_the_error_names_what_resists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "volume" / "a").mkdir(parents=True)
    (tmp_path / "volume" / "a" / "stuck").touch()

    def refuse(name: str, *, dir_fd: int) -> None:
        raise PermissionError(1, "Operation not permitted", name)

    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(PermissionError, match=str(tmp_path / "volume/a/stuck")):
        remove_tree(tmp_path / "volume")


def test_directories_that_are_in_use_stay(tmp_path: Path) -> None:
    top = tmp_path / "group"
    make_deep(top, ["a"] * 400)
    (top / "busy" / "below").mkdir(parents=True)
    (top / "busy" / "process").touch()
    assert not remove_directories(top)
    assert [p.name for p in top.iterdir()] == ["busy"]
    assert not (top / "busy" / "below").exists()
    (top / "busy" / "process").unlink()
    assert remove_directories(top)
    assert remove_directories(top)


def test_what_vanishes_while_it_is_walked_is_left_out(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "group" / name / "below").mkdir(parents=True)
    seen = 0
    for _, _ in walk(tmp_path / "group"):
        seen += 1
        remove_tree(tmp_path / "group")
    assert seen >= 1
    assert not (tmp_path / "group").exists()


RECURSING = re.compile(r"shutil\.rmtree|os\.walk|\.rglob\(|\*\*/")
OF_OUR_OWN_MAKING = {
    "images/debian.py",  # what a Debian package holds, read while an image is packed
    "kubelet/volumes/atomic_writer.py",  # versions of volumes only the kubelet writes
}


def test_nobody_goes_through_trees_by_other_means() -> None:
    package = Path(trees.__file__).parents[1]
    found = {
        str(file.relative_to(package)) for file in package.rglob("*.py") if RECURSING.search(file.read_text())
    }
    assert found <= OF_OUR_OWN_MAKING
