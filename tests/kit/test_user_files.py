"""What users name is replaced whole, and never what is no file."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

import pytest

from wherry.kit.named_files import named
from wherry.kit.user_files import keep_file, replace_file


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


def test_what_is_there_already_is_not_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    keep_file(path, b"hello", mode=0o644)
    assert path.stat().st_mode & 0o777 == 0o644

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    keep_file(path, b"hello")
    with pytest.raises(OSError, match="No space left on device") as caught:
        keep_file(path, b"other")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"hello"


def test_an_error_that_names_no_file_is_given_one(tmp_path: Path) -> None:
    with pytest.raises(PermissionError) as caught, named(tmp_path):
        raise OSError(errno.EACCES, "no")
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError) as other, named(tmp_path):
        (tmp_path / "absent").read_bytes()
    assert other.value.filename == str(tmp_path / "absent")
