"""What the supervisor's own surroundings do to it and to its components, fault by fault."""

from __future__ import annotations

import errno
import os
import re
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.supervised import LOOP, all_ready, supervise, supervised, until
from wherry.cluster import spawning, supervisor
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.state import current, start_now
from wherry.cluster.supervisor import Supervisor
from wherry.kit.pid_files import holder, is_held
from wherry.kit.processes import ProcessRecord, running

pytestmark = pytest.mark.slow

SLEEPS = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    found = ClusterPaths.of("t", tmp_path / "data", tmp_path / "r")
    found.run.mkdir(parents=True)
    return found


def processes_of(paths: ClusterPaths) -> list[int]:
    return [
        record.pid
        for record, _, arguments in running()
        if str(paths.data) in arguments and "--listening-fd" not in arguments
    ]


# Components that do not answer


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSTOP, r"did not answer for \d s \(stopped by a signal or a debugger\), ended"),
        (signal.SIGUSR2, r"did not answer for \d s \(busy\), ended"),
    ],
)
def test_one_whose_loop_stands_still_is_started_again(
    paths: ClusterPaths, number: signal.Signals, words: str
) -> None:
    with supervised(paths, watchdog_s=3):
        before = until(paths, all_ready)
        stuck, other = before["server"].pid, before["agent"].pid
        assert stuck is not None
        os.kill(stuck, number)
        after = until(paths, lambda states: states["server"].pid not in (stuck, None) and all_ready(states))
    assert re.fullmatch(words, after["server"].last_exit)
    assert after["server"].restarts == 1
    assert (after["agent"].pid, after["agent"].restarts) == (other, 0)
    assert ProcessRecord.of(stuck) is None


def test_a_loop_that_is_blocked_tells_where_before_it_is_ended(paths: ClusterPaths) -> None:
    with supervised(paths, watchdog_s=3):
        stuck = until(paths, all_ready)["server"].pid
        assert stuck is not None
        os.kill(stuck, signal.SIGUSR2)
        until(paths, lambda states: states["server"].pid not in (stuck, None) and all_ready(states))
    written = paths.log_file("server").read_text()
    assert "most recent call first" in written
    assert "in spin" in written


def test_a_successor_watches_over_those_it_finds(paths: ClusterPaths) -> None:
    with supervised(paths) as first:
        before = until(paths, all_ready)
        first.kill()
        first.wait()
        with supervised(paths, watchdog_s=3):
            found = until(paths, all_ready)["agent"].pid
            assert found == before["agent"].pid
            assert found is not None
            os.kill(found, signal.SIGSTOP)
            after = until(paths, lambda states: states["agent"].pid not in (found, None))
            assert "did not answer" in after["agent"].last_exit


def test_one_that_answers_is_left_alone_whatever_it_does_besides(paths: ClusterPaths) -> None:
    with supervised(paths, watchdog_s=3) as process:
        before = until(paths, all_ready)
        with pytest.raises(TimeoutError):
            until(paths, lambda states: states != before, timeout_s=7.0)
        assert process.poll() is None
        assert {s.pid for s in current(paths).values()} == {s.pid for s in before.values()}


# Being killed half-way


def test_a_supervisor_killed_between_start_and_pid_file_leaves_one_process(paths: ClusterPaths) -> None:
    """That process goes on, though nobody reads the pipe it was given to say that it is ready."""
    killed = "spawning.sign = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    assert supervise(paths, also=killed).wait(60) == -signal.SIGKILL
    orphan = holder(paths.component_pid("server"), 30.0)
    assert orphan is not None
    with supervised(paths):
        states = until(paths, all_ready)
        assert (states["server"].pid, states["server"].restarts) == (orphan.pid, 0)
        assert sorted(processes_of(paths)) == sorted(s.pid or 0 for s in states.values())
        assert len(processes_of(paths)) == 2


def test_a_component_runs_once_however_often_it_is_started(paths: ClusterPaths) -> None:
    with supervised(paths):
        pid = until(paths, all_ready)["server"].pid
        command = [sys.executable, "-c", LOOP.replace("COMPONENT", "server"), "--name", "t"]
        command += ["--data-dir", str(paths.data), "--run-root", str(paths.run.parent)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert second.stderr == f"the server runs already (pid {pid})\n"
        record = holder(paths.component_pid("server"), 1.0)
        assert record is not None
        assert record.pid == pid
    assert not is_held(paths.component_pid("server"))


def test_there_is_one_supervisor(paths: ClusterPaths) -> None:
    with supervised(paths):
        until(paths, all_ready)
        assert supervise(paths).wait(60) == 1


# Trouble that may pass


def test_one_that_was_ready_once_is_tried_again_and_told_about(paths: ClusterPaths) -> None:
    with supervised(paths):
        pid = until(paths, all_ready)["server"].pid
        assert pid is not None
        (paths.data / "trouble").touch()
        os.kill(pid, signal.SIGKILL)
        troubled = until(paths, lambda states: "disk" in states["server"].last_exit)["server"]
        assert troubled.failure == ""
        assert troubled.last_exit == "the disk is full"
        assert troubled.restart_in_s is not None
        assert 20 < troubled.restart_in_s <= supervisor.LONGEST_DELAY_S
        (paths.data / "trouble").unlink()
        start_now(paths)
        ready = until(paths, all_ready)["server"]
        assert ready.restart_in_s is None, "whoever starts it by hand need not wait"


def test_one_that_was_never_ready_gives_up_until_it_is_asked_again(paths: ClusterPaths) -> None:
    paths.data.mkdir()
    (paths.data / "trouble").touch()
    with supervised(paths):
        given_up = until(paths, lambda states: all(s.failure for s in states.values()))
        assert given_up["server"].failure == "the disk is full"
        assert given_up["server"].restart_in_s is None
        (paths.data / "trouble").unlink()
        start_now(paths)
        assert until(paths, all_ready)["server"].failure == ""


# The loop by itself


@pytest.fixture
def alone(paths: ClusterPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(spawning, "command_of", lambda *_: SLEEPS)
    found = Supervisor("t", paths)
    yield found
    for component in found.components.values():
        if component.popen is not None:
            component.popen.kill()
            component.popen.wait()
    for key in list(found._selector.get_map().values()):
        found._selector.unregister(key.fileobj)
        if isinstance(key.fileobj, int):
            os.close(key.fileobj)
        elif isinstance(key.fileobj, socket.socket):
            key.fileobj.close()
    found._selector.close()


def connect(to: Supervisor) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(supervisor.socket_path(to.paths)))
    to._turn()
    return client


def test_an_event_about_something_closed_before_it_in_the_batch_is_dropped(
    alone: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where its descriptor is already somebody else's, who has nothing to read."""
    pairs = [socket.socketpair() for _ in range(2)]
    quiet, quiet_end = socket.socketpair()
    called: list[str] = []

    def close_the_other(which: int) -> None:
        called.append("event")
        other = pairs[1 - which][0]
        alone._selector.unregister(other)
        os.dup2(quiet.fileno(), other.fileno())  # the next to be opened gets the number that came free
        alone._selector.register(other, selectors.EVENT_READ, lambda: called.append("stranger"))

    for number, (here, there) in enumerate(pairs):
        alone._selector.register(here, selectors.EVENT_READ, partial(close_the_other, number))
        there.send(b"x")
    alone._turn()
    assert called == ["event"]
    assert "a fault of the supervisor's own" not in caplog.text
    for one in (quiet, quiet_end, *(there for _, there in pairs)):
        one.close()


def test_a_listener_that_leaves_as_a_component_ends_costs_nobody_the_supervisor(
    alone: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    alone._listen()
    server = alone.components["server"]
    alone._attend(server)
    leaving, staying = connect(alone), connect(alone)
    assert server.popen is not None
    pidfd = server.pidfd
    server.popen.kill()
    leaving.close()
    select.select([pidfd], [], [], 10)
    alone._turn()
    alone._turn()
    assert server.restarts == 1
    assert len(alone.listeners) == 1
    assert b'"restarts": 1' in staying.recv(65536)
    assert "a fault of the supervisor's own" not in caplog.text
    staying.close()


@pytest.mark.parametrize("fault", [OSError(errno.EAGAIN, "no process to be had"), RuntimeError("broken")])
def test_a_start_that_fails_is_tried_again(
    alone: Supervisor, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    faults = [fault]
    start = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if faults:
            raise faults.pop()
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    server = alone.components["server"]
    before = len(os.listdir("/proc/self/fd"))
    alone._attend(server)
    assert server.state()["pid"] is None
    assert server.last_exit.startswith("cannot be started: ")
    assert len(os.listdir("/proc/self/fd")) == before
    while server.restart_at is not None:
        alone._turn()
    assert server.state()["pid"] is not None
    assert not faults


def test_no_fault_of_a_handler_ends_the_loop(alone: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    alone._listen()
    greet = alone._greet
    faults: list[Exception] = [OSError(errno.EMFILE, "too many open files"), RuntimeError("broken")]

    def breaks(server: socket.socket) -> None:
        if faults:
            raise faults.pop()
        greet(server)

    monkeypatch.setattr(alone, "_greet", breaks)
    client = connect(alone)
    alone._turn()
    alone._turn()
    assert b'"components"' in client.recv(65536)
    client.close()


def test_a_start_that_breaks_half_way_leaves_no_process(
    alone: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    pidfd_open: Callable[[int], int] = os.pidfd_open

    def refuse(pid: int) -> int:
        if not started:
            started.append(pid)
            raise OSError(errno.EMFILE, "too many open files")
        return pidfd_open(pid)

    monkeypatch.setattr(os, "pidfd_open", refuse)
    server = alone.components["server"]
    alone._attend(server)
    assert ProcessRecord.of(started[0]) is None
    assert not is_held(alone.paths.component_pid("server"))
    assert server.restart_at is not None
