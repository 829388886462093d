"""The supervisor against small stand-ins for the real components: start, restart, adopt, give up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.cluster.paths import ClusterPaths
from wherry.cluster.state import States, current, follow
from wherry.cluster.supervisor import describe_exit, restart_delay_s
from wherry.kit.processes import ProcessRecord

STAND_IN = """
import sys
from pathlib import Path
from wherry.cluster import spawning, supervisor

def command(component, name, paths):
    return [sys.executable, "-c", {body!r}.replace("COMPONENT", component), str(paths.run)]

spawning.command_of = command
supervisor.main()
"""
READY = """
import signal, sys
from pathlib import Path
from wherry.cluster.components import tell_ready
from wherry.cluster.paths import ClusterPaths
run = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
tell_ready("COMPONENT", ClusterPaths(run, run), {})
signal.pause()
"""
GIVES_UP = """
import sys
from pathlib import Path
from wherry.cluster.components import EXIT_PERMANENT, tell_permanent
from wherry.cluster.paths import ClusterPaths
run = Path(sys.argv[1])
tell_permanent("COMPONENT", ClusterPaths(run, run), "the port is taken")
sys.exit(EXIT_PERMANENT)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    found = ClusterPaths.of("t", tmp_path / "data", tmp_path / "r")
    found.run.mkdir(parents=True)
    return found


@pytest.fixture
def started(paths: ClusterPaths) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
    for component in ("server", "agent"):
        record = ProcessRecord.read(paths.component_pid(component))
        if record is not None:
            record.terminate(5.0)


def supervise(paths: ClusterPaths, body: str) -> subprocess.Popen[bytes]:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            STAND_IN.format(body=body),
            "--name",
            "t",
            "--data-dir",
            str(paths.data),
            "--run-root",
            str(paths.run.parent),
            "--listening-fd",
            str(writer),
        ],
        pass_fds=(writer,),
    )
    os.close(writer)
    assert os.read(reader, 1) == b"", "it closes its end once it listens"
    os.close(reader)
    return process


def until_ready(paths: ClusterPaths) -> States:
    for states in follow(paths, 30.0):
        if all(state.ready for state in states.values()):
            return states
    raise AssertionError("the supervisor ended")


def test_a_killed_component_is_started_again(
    paths: ClusterPaths, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(supervise(paths, READY))
    before = until_ready(paths)
    killed = before["server"].pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    for states in follow(paths, 30.0):
        if states["server"].ready and states["server"].pid != killed:
            break
    assert states["server"].restarts == 1
    assert states["server"].last_exit == "killed by SIGKILL"
    assert states["agent"].pid == before["agent"].pid, "the other one is left alone"


def test_a_killed_supervisor_is_succeeded_without_a_restart(
    paths: ClusterPaths, started: list[subprocess.Popen[bytes]]
) -> None:
    first = supervise(paths, READY)
    before = until_ready(paths)
    first.kill()
    first.wait()
    assert {s.pid for s in current(paths).values()} == {s.pid for s in before.values()}
    started.append(supervise(paths, READY))
    after = until_ready(paths)
    assert {s.pid for s in after.values()} == {s.pid for s in before.values()}


def test_one_that_gives_up_is_not_started_again(
    paths: ClusterPaths, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(supervise(paths, GIVES_UP))
    for states in follow(paths, 30.0):
        if all(state.failure for state in states.values()):
            break
    assert states["server"].failure == "the port is taken"
    assert states["server"].restarts == 0


def test_stopping_ends_the_components(paths: ClusterPaths, started: list[subprocess.Popen[bytes]]) -> None:
    process = supervise(paths, READY)
    started.append(process)
    before = until_ready(paths)
    process.terminate()
    assert process.wait(60) == 0
    for state in before.values():
        assert state.pid is not None
        assert ProcessRecord.of(state.pid) is None
    assert not paths.supervisor_pid.exists()


def test_back_off_doubles_and_is_bounded() -> None:
    assert [restart_delay_s(n) for n in range(4)] == [0.2, 0.4, 0.8, 1.6]
    assert restart_delay_s(1000) == 30.0


def test_exits_have_words() -> None:
    assert describe_exit(-9) == "killed by SIGKILL"
    assert describe_exit(3) == "exit code 3"
    assert describe_exit(None) == "exit code unknown"
