"""Keeping a containerd running, whatever fails meanwhile; its process is another program here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import eventually
from wherry.images.load import ImportFailed
from wherry.images.pause import PAUSE_IMAGE
from wherry.kit.children import end, spawn
from wherry.kit.clock import FakeClock
from wherry.kit.processes import ProcessRecord
from wherry.kubelet.runtimes.containerd.config import ContainerdPaths, render_config
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon, DaemonFailed
from wherry.kubelet.runtimes.containerd.facts import MachineFacts
from wherry.kubelet.runtimes.containerd.processes import containerd_command, containerd_of
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.network.tool import NetworkFailure

FACTS = MachineFacts(
    containerd="/bin/sleep",
    ctr="ctr",
    cni_bin_dir=Path("/opt/cni/bin"),
    cgroup_version=2,
    systemd=False,
    can_lower_oom_score=True,
    overlayfs=True,
    apparmor=False,
    seccomp=True,
    memory_bytes=1 << 30,
    cpus=2,
)


class Sleeper(ContainerdDaemon):
    """Its containerd sleeps, and coming up ends with each of `failures` first."""

    def __init__(self, directory: Path, clock: FakeClock, program: str = "/bin/sleep") -> None:
        paths = ContainerdPaths(directory / "data", directory / "run", directory / "cni", directory / "log")
        super().__init__(paths, replace(FACTS, containerd=program), clock)
        self.failures: list[Exception] = []
        self.started: list[ProcessRecord] = []

    async def _until_answering(self, process: ProcessRecord) -> None:
        self.started.append(process)

    async def _prepare(self, process: ProcessRecord) -> None:
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sleeper:
    monkeypatch.setattr(
        "wherry.kubelet.runtimes.containerd.daemon.containerd_command", lambda *_: ["/bin/sleep", "600"]
    )
    return Sleeper(tmp_path, FakeClock())


@asynccontextmanager
async def supervised(daemon: Sleeper) -> AsyncIterator[FakeClock]:
    clock = daemon._clock
    assert isinstance(clock, FakeClock)
    await daemon.start()
    supervision = asyncio.ensure_future(daemon.supervise())
    try:
        yield clock
    finally:
        supervision.cancel()
        await asyncio.wait([supervision])
        await end(daemon.started, signal.SIGKILL, 10)


async def in_time(clock: FakeClock, check: Callable[[], bool]) -> None:
    """Return once `check` holds, while half a second passes with each look."""

    async def look() -> bool:
        await clock.advance(0.5)
        return check()

    await eventually(look)


async def test_its_end_is_never_the_last_one(sleeper: Sleeper) -> None:
    async with supervised(sleeper) as clock:
        for _ in range(3):
            before = sleeper.pid
            sleeper.started[-1].send(signal.SIGKILL)
            await in_time(clock, lambda before=before: sleeper.pid not in (0, before))  # type: ignore[misc]


@pytest.mark.parametrize(
    "failure",
    [
        DaemonFailed("does not answer"),
        RuntimeFailure("no"),
        ImportFailed("no space left on device"),
        NetworkFailure("iptables: resource temporarily unavailable"),
        OSError("fork: resource temporarily unavailable"),
        RuntimeError("what nobody thought of"),
    ],
)
async def test_whatever_fails_while_it_comes_up_is_tried_again(sleeper: Sleeper, failure: Exception) -> None:
    async with supervised(sleeper) as clock:
        sleeper.failures = [failure]
        for _ in range(2):  # its next end is heard of as well
            before = sleeper.pid
            sleeper.started[-1].send(signal.SIGKILL)
            await in_time(clock, lambda before=before: sleeper.pid not in (0, before))  # type: ignore[misc]
        assert not sleeper.failures


async def test_one_without_a_pid_file_is_not_started_twice(tmp_path: Path) -> None:
    """Whoever started it was killed before writing the file."""
    program = tmp_path / "containerd"
    program.write_text("#!/bin/sh\nwhile :; do sleep 600; done\n")
    program.chmod(0o755)
    daemon = Sleeper(tmp_path, FakeClock(), str(program))
    daemon.paths.state.mkdir()
    daemon.paths.config.write_text(render_config(daemon.paths, daemon._facts, PAUSE_IMAGE))
    orphan = spawn(containerd_command(str(program), daemon.paths.config), tmp_path / "log")
    try:
        # The kernel shows a new process before it shows its arguments.
        await eventually(lambda: containerd_of(daemon.paths.config) == orphan)
        await daemon.start()
        assert [process.pid for process in daemon.started] == [orphan.pid]
        assert ProcessRecord.read(daemon.paths.pid_file) == orphan
    finally:
        await end([orphan, *daemon.started], signal.SIGKILL, 10)
