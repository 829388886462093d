"""What a tree takes on disk."""

from __future__ import annotations

import os
from pathlib import Path

from wherry.kit.disk_usage import Usage, disk_usage


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


def test_sums() -> None:
    assert Usage(1, 2) + Usage(3, 4, is_least=True) == Usage(4, 6, is_least=True)
