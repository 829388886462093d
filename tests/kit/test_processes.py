"""A recorded process is found again, a stranger with its pid is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.kit.proc import proc_entry
from wherry.kit.processes import ProcessRecord


def start(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_own_process_is_found_by_its_file(tmp_path: Path) -> None:
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    own.write(tmp_path / "pid")
    assert ProcessRecord.read(tmp_path / "pid") == own
    assert own.resident_bytes() > 1 << 20


def test_another_start_time_is_another_process(tmp_path: Path) -> None:
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    ProcessRecord(own.pid, own.start_ticks + 1).write(tmp_path / "pid")
    assert ProcessRecord.read(tmp_path / "pid") is None


@pytest.mark.slow
def test_terminate_asks_first_and_then_insists() -> None:
    with start("import signal; print(flush=True); signal.pause()") as polite:
        assert polite.stdout is not None
        polite.stdout.readline()
        record = ProcessRecord.of(polite.pid)
        assert record is not None
        assert record.terminate(10.0)
        polite.wait()
    ignore = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    with start(ignore) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        record = ProcessRecord.of(stubborn.pid)
        assert record is not None
        assert not record.terminate(0.05)
        assert stubborn.wait() == -9
        assert record.terminate(1.0), "one that has ended is no trouble"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
def test_a_torn_file_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    assert ProcessRecord.read(tmp_path / "pid") is None


def test_how_long_ago_a_process_started() -> None:
    own = ProcessRecord.of(os.getpid())
    assert own is not None
    assert 0 < time.time() - own.started_at() < 3600 * 24


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    proc_entry(tmp_path, 5, 1, ["x"])
    first = ProcessRecord.of(5, tmp_path)
    assert first == ProcessRecord(5, 50)
    assert first.is_alive(tmp_path)
    assert not ProcessRecord(5, 49).is_alive(tmp_path)
    assert ProcessRecord.of(6, tmp_path) is None


def test_zombies_do_not_live(tmp_path: Path) -> None:
    proc_entry(tmp_path, 5, 1, ["x"], state="Z")
    assert ProcessRecord.of(5, tmp_path) is None
