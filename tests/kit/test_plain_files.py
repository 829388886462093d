"""Pipes, devices and links are seen and not opened; plain files and directories are."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from tests.openings import openings
from wherry.kit.plain_files import NotPlain, open_plain


def read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def test_what_is_plain_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with openings(tmp_path) as opened:
        assert read(open_plain(tmp_path / "file")) == b"text"
    assert opened == ["file"]
    directory = open_plain(tmp_path, directories=True)
    try:
        assert os.listdir(directory) == ["file"]
        assert read(open_plain("file", dir_fd=directory)) == b"text"
        with os.fdopen(open_plain("file", os.O_WRONLY | os.O_TRUNC, dir_fd=directory), "w") as file:
            file.write("new")
    finally:
        os.close(directory)
    assert (tmp_path / "file").read_text() == "new"


def test_what_is_not_is_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with openings(tmp_path) as opened:
            for name in ("pipe", "socket", "folder"):
                with pytest.raises(NotPlain, match="is no regular file"):
                    open_plain(tmp_path / name)
            with pytest.raises(NotPlain, match="link") as caught:
                open_plain(tmp_path / "link")
            with pytest.raises(FileNotFoundError):
                open_plain(tmp_path / "none")
    assert caught.value.errno == errno.ELOOP
    assert opened == []
    with pytest.raises(NotPlain):
        open_plain("/dev/null", directories=True)
