"""What a tree takes on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from wherry.kit.disk_usage import Usage, disk_usage
from wherry.kit.trees import remove_tree


def test_a_tree_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "a" / "b" / "file").write_bytes(b"x" * 50_000)
    usage, _ = disk_usage(tmp_path / "a", 10)
    assert usage.inodes == 4
    assert 150_000 <= usage.bytes < 250_000
    assert not usage.is_least


def test_a_file_with_two_names_counts_once_and_links_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"x" * 1_000_000)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(b"x" * 100_000)
    os.link(tree / "one", tree / "two")
    (tree / "link").symlink_to(outside)
    usage, _ = disk_usage(tree, 10)
    assert 100_000 <= usage.bytes < 150_000
    assert usage.inodes == 3


def test_a_single_file_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    assert disk_usage(tmp_path / "file", 10)[0].inodes == 1
    assert disk_usage(tmp_path / "none", 10)[0] == Usage()


def test_looking_ends_in_time(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / str(number)).touch()
    usage, _ = disk_usage(tmp_path, 0.0)
    assert usage.is_least
    assert usage.inodes <= 300


@pytest.mark.parametrize("shape", ["flat", "nested", "wide"])
def test_no_more_is_looked_at_than_there_is_time_for(tmp_path: Path, shape: str) -> None:
    """Neither a directory's entries nor the tree is gone through before the clock is looked at."""
    directory = os.open(tmp_path, os.O_RDONLY)
    for number in range(1500):
        if shape == "flat":
            os.close(os.open(str(number), os.O_CREAT, dir_fd=directory))
            continue
        os.mkdir(str(number), dir_fd=directory)
        if shape == "nested":
            below = os.open(str(number), os.O_RDONLY, dir_fd=directory)
            os.close(directory)
            directory = below
    os.close(directory)
    opened: list[int] = []
    with watched_scans(opened):
        usage, _ = disk_usage(tmp_path, 0.0)
    assert usage.is_least
    assert usage.inodes <= 256
    assert len(opened) <= 256
    whole, _ = disk_usage(tmp_path, 60)
    assert (whole.inodes, whole.is_least) == (1501, False)
    remove_tree(tmp_path)


@contextmanager
def watched_scans(opened: list[int]) -> Iterator[None]:
    """Note every directory that is read."""
    scan = os.scandir

    def noted(directory: int) -> Any:
        opened.append(directory)
        return scan(directory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", noted)
        yield


def test_sums() -> None:
    assert Usage(1, 2) + Usage(3, 4, is_least=True) == Usage(4, 6, is_least=True)
