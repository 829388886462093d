"""Files whose names users give: pipes are read to their end, endless ones are not, and nobody is stuck."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from wherry.kit import given_files
from wherry.kit.given_files import GivenUpError, read_given


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("ä" * 3_000_000)
    assert read_given(path) == "ä" * 3_000_000
    path.write_text("")
    assert read_given(path) == ""


def test_a_pipe_is_read_to_its_end_whenever_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb") as pipe:
            for _ in range(20):
                pipe.write(b"x" * 100_000)
                pipe.flush()

    writing = threading.Timer(0.05, write)
    writing.start()
    assert len(read_given(path)) == 2_000_000
    writing.join()


def test_a_descriptor_is_read_as_a_shell_gives_it() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"kind: ConfigMap\n")
        os.close(writing)
        assert read_given(Path(f"/dev/fd/{reading}")) == "kind: ConfigMap\n"
    finally:
        os.close(reading)


def test_whoever_waits_for_a_silent_pipe_can_give_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    asked = 0

    def is_given_up() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    with pytest.raises(GivenUpError):
        read_given(path, is_given_up)


def test_what_has_no_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_files, "MOST_BYTES", 5 * 1024 * 1024)
    with pytest.raises(OSError, match="larger than 5 MiB"):
        read_given(Path("/dev/zero"))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_given(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        read_given(tmp_path)
