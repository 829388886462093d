"""A process's keys go with it, and with the next one if it was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.apiserver import backing, rig
from wherry.testing import keys

KILLED = "import os; from wherry.testing import keys; print(keys.scratch(), flush=True); os._exit(9)"
FORKS = """
import os
from wherry.testing import keys
print(keys.scratch(), flush=True)
if os.fork() == 0:
    raise SystemExit  # with all that runs at a process's end
os.wait()
print(keys.scratch().exists(), flush=True)
"""
LIVES = "from wherry.testing import keys; print(keys.scratch(), flush=True); input()"


def test_what_a_killed_process_left_is_removed_and_nothing_of_the_living(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c"]
    killed = Path(
        subprocess.run([*command, KILLED], capture_output=True, text=True, check=False).stdout.strip()
    )
    assert killed.is_dir()
    assert killed.stat().st_mode & 0o777 == 0o700
    link = tmp_path / f"{keys.PREFIX}link"
    link.symlink_to(Path(tempfile.mkdtemp(dir=tmp_path)))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([*command, LIVES], text=True, **pipes) as process:  # type: ignore[call-overload]
        living = Path(process.stdout.readline().strip())
        assert not killed.exists(), "it looked first"
        keys.remove_what_the_dead_left(tmp_path)
        assert living.is_dir()
        assert link.is_symlink()
        process.communicate("\n")
    assert not living.exists()


def test_a_forked_child_does_not_take_them_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ran = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    made, still_there = ran.stdout.split()
    assert still_there == "True"
    assert not Path(made).exists()


def test_the_keys_of_the_tests_go_too() -> None:
    found = [rig.files().tokens_key, backing.certificates()[0].key]
    assert all(key.is_relative_to(keys.scratch()) for key in found)
