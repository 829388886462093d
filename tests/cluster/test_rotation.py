"""Logs are cut when they are large, and whoever writes notices nothing."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from wherry.cluster.rotation import rotate


def test_a_small_log_and_one_that_is_not_there_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    assert not rotate(path)
    path.write_text("line\n")
    assert not rotate(path)
    assert [file.name for file in tmp_path.iterdir()] == ["server.log"]


def test_a_writer_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    with path.open("ab", buffering=0) as writer:
        for text in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
            writer.write(text)
            assert rotate(path, limit_bytes=3, kept=2)
        writer.write(b"last\n")
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {"server.log": "last\n", "server.log.1": "fourth\n", "server.log.2": "third\n"}


def test_a_full_disk_costs_the_old_logs_then_the_content_and_never_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "no space left on device")

    path = tmp_path / "server.log"
    (tmp_path / "server.log.1").write_text("older\n")
    path.write_text("line\n")
    monkeypatch.setattr(shutil, "copyfile", full)
    assert rotate(path, limit_bytes=3)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("server.log", "")]
    assert "was cut without a copy" in caplog.text
