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


NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link another user's")
@pytest.mark.parametrize("inner", ["", "below/f"], ids=["the file", "a directory on the way"])
@pytest.mark.parametrize(
    ("owner", "mode", "is_refused"),
    [(NOBODY, 0o1777, True), (NOBODY, 0o755, False), (0, 0o1777, False)],
    ids=["planted", "in a place of ours", "our own"],
)
def test_a_link_somebody_else_planted_is_not_followed(
    tmp_path: Path, inner: str, owner: int, mode: int, is_refused: bool
) -> None:
    shared, precious = tmp_path / "shared", tmp_path / "precious"
    shared.mkdir()
    shared.chmod(mode)
    target = precious / inner
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("mine")
    (tmp_path / "own").symlink_to(shared / "link")
    (shared / "link").symlink_to(precious)
    os.lchown(shared / "link", owner, owner)
    for start in (shared / "link", tmp_path / "own"):
        target.write_text("mine")
        if is_refused:
            with pytest.raises(
                PermissionError, match="a link of another user's, where everybody may put one"
            ):
                replace_file(start / inner, hello)
        else:
            replace_file(start / inner, hello)
        assert target.read_text() == ("mine" if is_refused else "hello")


def test_links_that_lead_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="levels of symbolic links"):
        replace_file(tmp_path / "a", hello)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file another user's")
def test_what_another_user_opened_to_all_is_not_open_for_what_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("theirs")
    path.chmod(0o666)
    os.chown(path, NOBODY, NOBODY)
    replace_file(path, hello)
    assert path.stat().st_mode & 0o777 == 0o600
