"""What `wherry status` says in words: what runs, what ended how and when, and what to do next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import WHERRY, make, run_main, wherry
from tests.cluster.supervised import all_ready, supervised, until
from wherry.cli.status import _remarks, _show, _state, describe
from wherry.cluster.clusters import Machine
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.node import Node, nodes_here
from wherry.cluster.state import ComponentState
from wherry.kit.processes import ProcessRecord

AT = "2026-03-01T10:00:00+00:00"
RUNS: dict[str, Any] = {"name": "server", "pid": 7, "ready": True, "residentBytes": 1 << 20}


def words(component: dict[str, Any]) -> str:
    return ", ".join([_state(component), *_remarks(component)])


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (RUNS, "pid 7, ready, 1.0 MB"),
        ({**RUNS, "restarts": 0}, "pid 7, ready, 1.0 MB"),
        (
            {
                **RUNS,
                "restarts": 1,
                "lastExit": "killed by SIGKILL",
                "lastExitAt": AT,
            },
            "pid 7, ready, 1.0 MB, restarted 1 time, last: killed by SIGKILL at 2026-03-01 10:00:00",
        ),
        (
            {**RUNS, "restarts": 3, "lastExit": "exit code 1", "lastExitAt": AT},
            "pid 7, ready, 1.0 MB, restarted 3 times, last: exit code 1 at 2026-03-01 10:00:00",
        ),
        (
            {
                **RUNS,
                "pid": None,
                "ready": False,
                "restarts": 3,
                "lastExit": "exit code 1",
                "lastExitAt": AT,
                "restartInSeconds": 4.2,
            },
            "stopped, exit code 1 at 2026-03-01 10:00:00, again in 4 s",
        ),
        (
            {**RUNS, "restarts": 9, "lastExit": f"the registries cannot be used: {'x' * 300}"},
            "pid 7, ready, 1.0 MB, restarted 9 times, last: the registries cannot be used: ...",
        ),
        (
            {**RUNS, "ready": False, "restarts": 9, "lastExit": "x" * 300},
            f"pid 7, not ready, 1.0 MB, restarted 9 times, last: {'x' * 300}",
        ),
        ({"name": "server", "pid": None, "ready": False, "residentBytes": 0}, "stopped"),
    ],
)
def test_a_component_in_words(component: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    assert words(component) == said


def test_a_stopped_cluster_says_how_to_go_on(stopped: Lifecycle) -> None:
    done = wherry("status")
    assert done.returncode == 3
    assert done.stdout.splitlines()[-3:] == [
        "  server      stopped",
        "  agent       stopped",
        "Start it with: wherry start",
    ]


@pytest.mark.parametrize(
    ("nodes", "files", "said"),
    [
        (0, 0, "no nodes"),
        (1, 0, "1 node"),
        (7, 0, "7 nodes"),
        (0, 1, "3 nodes; FILE"),
        (7, 1, "7 nodes; FILE"),
        (0, 2, "as many nodes as its files say, which cannot be read; FILE"),
    ],
)
def test_simulated_nodes_are_told_by_number_and_files(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str], nodes: int, files: int, said: str
) -> None:
    file = tmp_path / "nodes.yaml"
    if files == 1:
        file.write_text(
            "apiVersion: hollow.wherry.dev/v1\nkind: Nodes\nmetadata: {name: a}\nspec: {count: 3}"
        )
    simulation = (str(file),) if files else ()
    facts = describe(make(machine, runtime="simulated", simulated_nodes=nodes, simulation=simulation))
    _show(facts, as_json=False)
    assert f"  Simulated   {said.replace('FILE', str(file))}\n" in capsys.readouterr().out
    assert facts["simulation"] == list(simulation)
    assert facts["simulatedNodes"] == (None if "cannot" in said else nodes or files * 3)


def test_a_supervisor_that_was_killed_is_missed(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    lifecycle = make(machine)
    own = os.getpid()
    states = {name: ComponentState(name, own, True) for name in lifecycle.components}
    facts = describe(lifecycle, states)
    assert facts["components"][0]["name"] == "supervisor"
    assert facts["components"][0]["pid"] is None
    _show(facts, as_json=False)
    assert "  supervisor  stopped; nobody starts the rest again: wherry start\n" in capsys.readouterr().out


def test_a_cluster_whose_data_was_removed_by_hand_is_not_said_to_be_none(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make(machine, name="t").paths
    program = [sys.executable, "-c", "input()", "--data-dir", str(paths.data)]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as process:
        record = ProcessRecord.of(process.pid)
        assert record is not None
        record.write(paths.supervisor_pid)
        elsewhere = paths.data.rename(paths.data.with_name("elsewhere"))
        said = f"{paths.data} is gone, but processes of cluster 't' run on; end them with: wherry delete"
        for command in ("status", "stop", "up", "start"):
            assert run_main(monkeypatch, command, "--name", "t") == 1
            assert said in capsys.readouterr().err
        assert run_main(monkeypatch, "list") == 0
        assert "runs, data gone: wherry delete --name t" in capsys.readouterr().out
        elsewhere.rename(paths.data)
        assert run_main(monkeypatch, "list") == 0
        assert "data gone" not in capsys.readouterr().out
        process.communicate(b"\n")


def test_containers_of_a_cluster_without_data_keep_it_in_sight(
    machine: Machine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its node wrote down what it is where the data is not; no process of the cluster itself need run."""
    paths = make(machine, name="t").paths
    Node.of("t", "a-node-of-a-very-long-name", paths).note()
    assert [node.names.node for node in nodes_here("t", paths)] == ["a-node-of-a-very-long-name"]
    elsewhere = paths.data.rename(paths.data.with_name("elsewhere"))
    (node,) = nodes_here("t", paths)
    assert node == Node.of("t", "a-node-of-a-very-long-name", paths)
    for command in ("status", "up", "start"):
        assert run_main(monkeypatch, command, "--name", "t") == 1
        assert f"{paths.data} is gone, but processes of cluster 't' run on" in capsys.readouterr().err
    assert run_main(monkeypatch, "list") == 0
    assert "runs, data gone: wherry delete --name t" in capsys.readouterr().out
    elsewhere.rename(paths.data)
    assert run_main(monkeypatch, "list") == 0
    assert "data gone" not in capsys.readouterr().out


def test_variables_do_not_change_what_a_cluster_is_said_to_be(
    stopped: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_API_PORT", "7443")
    assert "https://127.0.0.1:6443" in wherry("status").stdout


@pytest.mark.slow
def test_watching_goes_on_through_a_stop(machine: Machine) -> None:
    paths = make(machine, name="t").paths  # as `supervised` calls it
    paths.run.mkdir(parents=True, exist_ok=True)
    watching = subprocess.Popen(
        [*WHERRY, "status", "--name", "t", "--watch"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert watching.stdout is not None
        heads = (line for line in watching.stdout if line.startswith("Cluster"))
        assert next(heads) == "Cluster t is stopped.\n"
        for _ in range(2):
            with supervised(paths) as supervisor:
                until(paths, all_ready)
                assert next(head for head in heads if "stopped" not in head)
                supervisor.send_signal(signal.SIGTERM)
                assert next(head for head in heads if "stopped" in head) == "Cluster t is stopped.\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(60) == 0
    finally:
        watching.kill()
        watching.communicate()


@pytest.mark.slow
def test_watching_ends_with_the_cluster(stopped: Lifecycle) -> None:
    watching = subprocess.Popen(
        [*WHERRY, "status", "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert watching.stdout is not None
    assert watching.stdout.readline() == "Cluster default is stopped.\n"
    stopped.paths.config.unlink()
    assert "is deleted; there is nothing to watch any more" in watching.communicate(timeout=60)[1]
    assert watching.returncode == 0
