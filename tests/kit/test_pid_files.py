"""Locks on pid files: who has one, across forks, removals and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wherry.kit.pid_files import claim, holder, is_held, sign
from wherry.kit.processes import ProcessRecord


def own_record() -> ProcessRecord:
    record = ProcessRecord.of(os.getpid())
    assert record is not None
    return record


def test_one_has_it_and_the_next_is_told_who(tmp_path: Path) -> None:
    path = tmp_path / "run" / "server.pid"
    assert not is_held(path)
    descriptor = claim(path)
    assert descriptor is not None
    sign(descriptor, own_record())
    assert claim(path) is None
    assert is_held(path)
    assert holder(path, 0.0) == own_record()
    os.close(descriptor)
    assert not is_held(path)
    assert claim(path) is not None


def test_an_old_signature_is_written_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("x" * 500)
    descriptor = claim(path)
    assert descriptor is not None
    sign(descriptor, own_record())
    assert ProcessRecord.read(path) == own_record()
    os.close(descriptor)


def test_a_file_removed_by_its_last_owner_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    first = claim(path)
    assert first is not None
    path.unlink()
    second = claim(path)
    assert second is not None, "the lock of a file nobody finds any more is no lock"
    assert claim(path) is None
    os.close(first)
    assert claim(path) is None
    os.close(second)


@pytest.mark.slow
def test_whoever_inherits_it_has_it_until_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    descriptor = claim(path)
    assert descriptor is not None
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(descriptor,)) as child:
        os.close(descriptor)
        assert is_held(path)
        assert holder(path, 0.05) is None, "it has not signed"
        child.communicate()
    assert not is_held(path)
