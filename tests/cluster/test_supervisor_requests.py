"""What the supervisor is asked for while it runs: other settings, another patience."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.cluster.supervised import all_ready, supervised, until
from wherry.cluster.clusters import Machine
from wherry.cluster.components import told_settings
from wherry.cluster.config import Setup, dump_config
from wherry.cluster.lifecycle import open_lifecycle
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.state import States, restart, set_watchdog

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path: Path) -> ClusterPaths:
    found = ClusterPaths.of("t", tmp_path / "data" / "t", tmp_path / "r")
    found.run.mkdir(parents=True)
    return found


def test_a_component_that_is_asked_to_restart_does_so_at_once(paths: ClusterPaths) -> None:
    with supervised(paths):
        before = until(paths, all_ready)
        restart(paths, ["server"])
        after = until(paths, lambda states: all_ready(states) and states["server"] != before["server"])
    assert after["agent"].pid == before["agent"].pid, "the other one is left alone"
    assert after["server"].pid != before["server"].pid
    assert (after["server"].restarts, after["server"].last_exit) == (0, ""), "nothing went wrong"


STUBBORN = """
import signal, sys
from pathlib import Path
from wherry.cluster.components import tell_ready
from wherry.cluster.launch import _parse
paths, _ = _parse("COMPONENT")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
tell_ready("COMPONENT", paths, {})
signal.pause()
"""


def test_one_that_does_not_end_is_made_to(paths: ClusterPaths) -> None:
    with supervised(paths, STUBBORN, also="supervisor.STOP_GRACE_S = 0.2") as process:
        before = until(paths, all_ready)
        restart(paths, ["agent"])
        until(paths, lambda states: all_ready(states) and states["agent"].pid != before["agent"].pid)
        process.terminate()


def test_changed_settings_reach_who_goes_by_them(paths: ClusterPaths, tmp_path: Path) -> None:
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "r")
    with supervised(paths):
        before = until(paths, all_ready)
        changed = Setup.of("t", kubelet_port=7777)
        paths.config.write_text(dump_config(changed))
        lifecycle = open_lifecycle(machine, changed)
        outdated = sorted(lifecycle.outdated()["agent"])
        assert outdated == ["kubelet_port", "node_name"], "the test's cluster has none"
        restart(paths, ["agent"])
        after = until(paths, lambda states: all_ready(states) and states["agent"].pid != before["agent"].pid)
        pid = after["agent"].pid
        assert pid is not None
        told = told_settings("agent", paths, pid)
        assert told is not None
        assert told["kubeletPort"] == 7777


def test_patience_can_be_changed(paths: ClusterPaths) -> None:
    with supervised(paths):
        pid = until(paths, all_ready)["server"].pid
        assert pid is not None
        set_watchdog(paths, 0.6)

        def is_ended(states: States) -> bool:
            return "did not answer" in states["server"].last_exit

        os.kill(pid, signal.SIGSTOP)
        assert until(paths, is_ended)["server"].last_exit_at is not None
