"""What users name is replaced whole, and never what is no file."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from wherry.kit.user_files import replace_file


def hello(file: BinaryIO) -> None:
    file.write(b"hello")


def broken(file: BinaryIO) -> None:
    file.write(b"half")
    raise OSError(28, "No space left on device", str(file.name))


def test_a_file_is_made_and_replaced_with_the_mode_it_has(tmp_path: Path) -> None:
    path = tmp_path / "f"
    replace_file(path, hello)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"hello", 0o600)
    path.chmod(0o640)
    replace_file(path, hello)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("old")
    link.symlink_to(target)
    replace_file(link, hello)
    assert link.is_symlink()
    assert target.read_bytes() == b"hello"


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left") as caught:
        replace_file(path, broken)
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to_and_stays_one() -> None:
    ours, theirs = os.openpty()
    try:
        name = os.ttyname(theirs)
        replace_file(Path(name), hello)
        assert os.read(ours, 5) == b"hello"
        assert stat.S_ISCHR(Path(name).stat().st_mode)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        replace_file(tmp_path, hello)
    assert caught.value.filename == str(tmp_path)
