"""A kubeconfig at a place a user named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wherry.testing.kubeconfig_file import MARK, KubeconfigError, KubeconfigFile


def test_only_its_user_may_read_it_and_it_goes_again(tmp_path: Path) -> None:
    file = KubeconfigFile(tmp_path / "kc")
    file.write(b"key")
    assert file.path.read_bytes() == MARK + b"key"
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_replaced_with_a_file_only_its_user_reads(tmp_path: Path) -> None:
    left = tmp_path / "kc"
    left.write_bytes(MARK + b"old")
    left.chmod(0o644)
    KubeconfigFile(left).write(b"new")
    assert left.read_bytes() == MARK + b"new"
    assert left.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["file", "link", "pipe", "directory"])
def test_what_is_somebody_elses_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "kc"
    if kind == "file":
        path.write_text("mine")
    elif kind == "link":
        path.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    file = KubeconfigFile(path)
    with pytest.raises(KubeconfigError, match="is there already"):
        file.write(b"key")
    file.remove()
    assert path.is_symlink() or path.exists()
    assert not (tmp_path / "other").exists()


def test_what_came_in_its_place_is_not_removed(tmp_path: Path) -> None:
    file = KubeconfigFile(tmp_path / "kc")
    file.write(b"key")
    file.path.unlink()
    file.path.write_text("mine")
    file.remove()
    assert file.path.read_text() == "mine"
