"""`wherry up` and `start`: what is said of a cluster that runs, of settings that change, and of Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.cli.conftest import make, run_main, wherry
from tests.cluster.supervised import all_ready, supervised, until
from wherry.cli.up import what_becomes_of_pods
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.clusters import Machine
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.settings import FOR_COMMANDS
from wherry.cluster.state import current


@pytest.fixture
def running(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lifecycle]:
    """A cluster `t` whose components are stand-ins that go by its settings."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Lifecycle, "warnings", lambda self: [])
    lifecycle = make(machine, name="t")
    lifecycle.paths.run.mkdir(parents=True, exist_ok=True)
    with supervised(lifecycle.paths):
        lifecycle.prepare()
        until(lifecycle.paths, all_ready)
        lifecycle.apply_settings()
        until(lifecycle.paths, all_ready)
        yield lifecycle


def pids(lifecycle: Lifecycle) -> dict[str, int | None]:
    return {name: state.pid for name, state in current(lifecycle.paths).items()}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "start"])
def test_what_runs_already_is_said_to(
    running: Lifecycle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = pids(running)
    assert run_main(monkeypatch, command, "--name", "t") == 0
    said = capsys.readouterr()
    assert said.out.startswith("Cluster t runs already: ")
    assert said.err == "", "nothing goes on that could be told"
    assert pids(running) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "restarted", "said"),
    [
        (("--kubelet-port", "17250"), {"agent"}, "with another --kubelet-port; pods go on running"),
        (("--api-port", "17443"), {"server", "agent"}, "with another --api-port; pods go on running"),
        (("--log-level", "DEBUG"), {"server", "agent"}, "with another --log-level"),
        (("--runtime-config", "api/beta=false"), {"server"}, "with another --runtime-config"),
        (("--watchdog-seconds", "77"), set(), ""),
    ],
)
def test_changed_settings_are_applied_to_what_runs(
    running: Lifecycle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    restarted: set[str],
    said: str,
) -> None:
    before = pids(running)
    assert run_main(monkeypatch, "up", "--name", "t", *flags) == 0
    err = capsys.readouterr().err
    assert {line.split()[2] for line in err.splitlines() if "is started again" in line} == restarted
    assert said in err
    after = pids(running)
    assert {name for name in after if after[name] != before[name]} == restarted
    config = running.machine.load("t")
    assert config is not None
    assert Lifecycle(running.machine, config, running.paths).outdated() == {}


@pytest.mark.slow
def test_a_variable_changes_a_setting_at_start_too(
    running: Lifecycle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHERRY_LOG_LEVEL", "WARNING")
    assert run_main(monkeypatch, "start", "--name", "t") == 0
    assert "with another WHERRY_LOG_LEVEL" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("is_fresh", [True, False])
def test_an_interrupted_start_says_where_it_left_the_cluster(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_fresh: bool
) -> None:
    if not is_fresh:
        make(machine)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cli.up.find_problems", lambda config, spelling: [])
    monkeypatch.setattr(Lifecycle, "start_supervisor", lambda self: signal.raise_signal(signal.SIGINT))
    assert run_main(monkeypatch, "up") == 130
    assert capsys.readouterr().err.splitlines()[-1] == (
        "wherry: interrupted; cluster 'default' is made and stopped: go on with wherry start, "
        "or take it away with wherry delete"
    )


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "inf"])
@pytest.mark.parametrize("command", ["up", "start"])
def test_no_time_is_not_waited_for(machine: Machine, command: str, wait: str) -> None:
    done = wherry(command, "--wait", wait)
    assert done.returncode == 2
    assert "is no time to wait; use a number of seconds above 0" in done.stderr
    assert machine.names() == []


def test_an_unknown_variable_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_NAMES", "dev")
    assert wherry("list").stderr == (
        "wherry: warning: WHERRY_NAMES is set, but there is no such variable; did you mean WHERRY_NAME?\n"
    )
    assert "NAME" in FOR_COMMANDS


def test_a_kubeconfig_whose_directory_is_mistyped_makes_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cli.up.find_problems", lambda config, spelling: [])
    typo = machine.data_root.parent / "typo"
    monkeypatch.setenv("KUBECONFIG", str(typo / "config"))
    assert run_main(monkeypatch, "up") == 78
    assert f"there is no directory {typo}; make it, or point KUBECONFIG elsewhere" in capsys.readouterr().err
    assert not typo.exists()
    assert not machine.data_root.exists()


@pytest.mark.parametrize(
    ("before", "after", "changed", "says"),
    [
        (5, 9, ["simulated_nodes"], "pods go on running"),
        (9, 5, ["simulated_nodes"], "4 simulated nodes go, and the pods on them end; others go on running"),
        (2, 1, ["simulated_nodes", "api_port"], "1 simulated node goes, and the pods on them end"),
        (5, 0, ["simulated_nodes"], "5 simulated nodes go, and the pods on them end; others go on running"),
        (0, 5, ["simulated_nodes"], "pods go on running"),
        (
            5,
            5,
            ["simulation"],
            "simulated nodes that are not asked for any more go, and the pods on them end",
        ),
        (5, 5, ["api_port"], "pods go on running"),
    ],
)
def test_what_becomes_of_pods_is_said_as_it_is(
    before: int, after: int, changed: list[str], says: str
) -> None:
    config = ClusterConfig(simulated_nodes=after)
    assert what_becomes_of_pods({"simulatedNodes": before}, config, changed).startswith(says)
