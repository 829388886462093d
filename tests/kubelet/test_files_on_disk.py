"""Logs and last words."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kubelet.builders import NOW, ended, running
from tests.openings import openings
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.logs import LogRotation, find_log, remove_log, rotate_log
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.sandboxes import SandboxSpec
from wherry.kubelet.server.log_file import LogFile
from wherry.kubelet.termination_message import create_message_file, message_file, read_message

STAMP = "2026-01-01T00:00:00.000000000Z"
LOG = f"{STAMP} stdout F first\n{STAMP} stderr P sec\n{STAMP} stderr F ond\n"


class Reopener(FakeRuntime):
    """Begins a new log file when told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(FakeClock())
        self.path = path

    async def reopen_log(self, container_id: str) -> None:
        if self.failures["reopen_log"]:
            raise self.failures["reopen_log"].pop()
        self.path.write_text("")


async def test_rotation_keeps_few_files(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    runtime = Reopener(path)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for turn in range(6):
        path.write_text(f"turn {turn} " * 10)
        assert await rotate_log(
            runtime, DirectDisk(), running("web"), path, now + timedelta(minutes=turn), 50, 3
        )
    names = sorted(f.name for f in tmp_path.iterdir())
    assert names == ["0.log", "0.log.20260101-000400.gz", "0.log.20260101-000500"]
    with gzip.open(tmp_path / names[1], "rt") as file:
        assert file.read().startswith("turn 4")
    remove_log(path)
    assert list(tmp_path.iterdir()) == []


async def test_small_logs_stay(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("x")
    assert not await rotate_log(Reopener(path), DirectDisk(), running("web"), path, NOW, 50, 3)
    assert not await rotate_log(Reopener(path), DirectDisk(), running("web"), tmp_path / "none", NOW, 50, 3)


async def test_log_is_put_back_when_the_runtime_fails(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("x" * 100)
    runtime = Reopener(path)
    runtime.failures["reopen_log"].append(RuntimeFailure("no"))
    assert not await rotate_log(runtime, DirectDisk(), running("web"), path, NOW, 50, 3)
    assert path.read_text() == "x" * 100


async def test_a_running_container_without_a_log_gets_one(tmp_path: Path) -> None:
    """Killed between renaming and reopening: the runtime writes on into the renamed file."""
    path = tmp_path / "0.log"
    assert not await rotate_log(Reopener(path), DirectDisk(), running("web"), path, NOW, 50, 3)
    assert path.exists()


async def test_a_compression_cut_short_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    (tmp_path / "0.log.20250101-000000").write_text("older")
    (tmp_path / "0.log.20250101-000000.tmp").write_text("half")
    path.write_text("x" * 100)
    assert await rotate_log(Reopener(path), DirectDisk(), running("web"), path, NOW, 50, 3)
    names = {f.name for f in tmp_path.iterdir()}
    assert "0.log.20250101-000000.gz" in names
    assert not [name for name in names if name.endswith(".tmp")]


async def test_one_log_that_fails_keeps_nobody_from_the_others(tmp_path: Path) -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock)
    config = KubeletConfig(
        node_name="n", node_ip="192.0.2.1", root_dir=tmp_path, log_dir=tmp_path / "logs", log_max_bytes=50
    )
    sandbox = SandboxSpec(name="p", namespace="default", uid="u", log_directory=str(tmp_path))
    sandbox_id = await runtime.run_sandbox(sandbox)
    for name in ("a", "b"):
        spec = ContainerSpec(name=name, attempt=0, image="i", log_path=f"{name}/0.log")
        await runtime.start_container(await runtime.create_container(sandbox_id, sandbox, spec))
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.log").write_text("x" * 100)
    # Listed last, looked at first: its older log cannot be compressed, as on a full disk.
    (tmp_path / "b" / "0.log.20250101-000000").write_text("older")
    (tmp_path / "b" / "0.log.20250101-000000.tmp").mkdir()
    await LogRotation(runtime, config, clock, DirectDisk()).check()
    assert len(runtime.reopened) == 2


def test_where_logs_are() -> None:
    assert find_log(running("web", 2), Path("/l")) == Path("/l/web/2.log")
    assert find_log(running("web", log_path="/abs/0.log"), Path("/l")) == Path("/abs/0.log")


@pytest.mark.parametrize(
    ("policy", "code", "written", "expected"),
    [
        ("File", 1, "bye", "bye"),
        ("File", 1, "", ""),
        ("FallbackToLogsOnError", 1, "bye", "bye"),
        ("FallbackToLogsOnError", 1, "", "first\nsecond\n"),
        ("FallbackToLogsOnError", 0, "", ""),
        ("File", 0, "x" * 5000, "x" * 4096),
    ],
)
def test_last_words(tmp_path: Path, policy: str, code: int, written: str, expected: str) -> None:
    path = message_file(tmp_path, "web", 0)
    create_message_file(path)
    path.write_text(written)
    log = tmp_path / "0.log"
    log.write_text(LOG)
    assert read_message({"terminationMessagePolicy": policy}, ended("web", code), path, log) == expected


def test_last_words_have_their_carriage_returns(tmp_path: Path) -> None:
    log = tmp_path / "0.log"
    log.write_bytes("t stdout F 50%\r100%\u2028\nt stderr P a\nt stderr F b\n".encode())
    said = read_message(
        {"terminationMessagePolicy": "FallbackToLogsOnError"}, ended("web", 1), tmp_path / "none", log
    )
    assert said == "50%\r100%\u2028\nab\n"


def test_last_words_are_not_read_through_links(tmp_path: Path) -> None:
    path = message_file(tmp_path, "web", 0)
    path.parent.mkdir(parents=True)
    path.symlink_to("/etc/passwd")
    assert read_message({}, ended("web", 1), path, tmp_path / "none") == ""


async def test_rotation_reads_no_links(tmp_path: Path) -> None:
    path, linked = tmp_path / "0.log", tmp_path / "0.log.20251231-000000"
    (tmp_path / "secret").write_text("secret")
    linked.symlink_to("secret")
    path.write_text("x" * 100)
    assert await rotate_log(Reopener(path), DirectDisk(), running("web"), path, NOW, 50, 3)
    assert linked.is_symlink()
    assert not list(tmp_path.glob("*.gz"))


async def test_pipes_where_logs_and_last_words_are_to_be_are_not_opened(tmp_path: Path) -> None:
    """A pod that is shown the folder of logs can put one there."""
    path, rotated = tmp_path / "0.log", tmp_path / "0.log.20251231-000000"
    os.mkfifo(rotated)
    path.write_text("x" * 100)
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    with openings(tmp_path) as opened:
        assert await rotate_log(Reopener(path), DirectDisk(), running("web"), path, NOW, 50, 3)
        assert read_message(policy, ended("web", 1), rotated, rotated) == ""
        with pytest.raises(OSError, match="no regular file"):
            LogFile(rotated)
    assert rotated.name not in opened
