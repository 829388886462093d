"""`wherry up` and `start`: what is said of a cluster that runs, of settings that change, and of Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import make, run_main, wherry
from tests.cluster.supervised import all_ready, supervised, until
from wherry.cli.failures import Failure
from wherry.cli.selection import select
from wherry.cli.terminal import Steps
from wherry.cli.up import _tell_exits, bring_up, nodes_of, what_becomes_of_pods
from wherry.cluster.advice import about_files
from wherry.cluster.clusters import Machine
from wherry.cluster.config import told_of
from wherry.cluster.lifecycle import Lifecycle
from wherry.cluster.settings import FOR_COMMANDS
from wherry.cluster.simulated import simulation_of
from wherry.cluster.state import ComponentState, current
from wherry.kit.trees import remove_tree


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


OF_POOL = (
    "apiVersion: hollow.wherry.dev/v1\nkind: Nodes\n"
    "metadata: {name: %s}\nspec: {count: %d, name: '%s-{index}'}\n"
)


@pytest.mark.parametrize(
    ("before", "after", "going", "says"),
    [
        (5, 9, 0, "pods go on running"),
        (9, 5, 4, "4 simulated nodes go, and the pods on them end; others go on running"),
        (2, 1, 1, "1 simulated node goes, and the pods on them end; others go on running"),
        (5, 0, 5, "5 simulated nodes go, and the pods on them end; others go on running"),
        (0, 5, 0, "pods go on running"),
        (("a", 3), ("a", 4), 0, "pods go on running"),
        (("a", 3), ("a", 2), 1, "1 simulated node goes"),
        (("a", 3), ("b", 3), 3, "3 simulated nodes go"),
        (3, ("a", 3), 3, "3 simulated nodes go"),
        (("a", 3), 0, 3, "3 simulated nodes go"),
        (None, 3, None, "simulated nodes that are not asked for any more go, and the pods on them end"),
    ],
)
def test_what_becomes_of_pods_is_said_as_it_is(
    machine: Machine, tmp_path: Path, before: Any, after: Any, going: int | None, says: str
) -> None:
    def flags(number: int, asked: Any) -> dict[str, Any]:
        if isinstance(asked, int):
            return {"simulated_nodes": asked, "simulation": [""]}
        file = tmp_path / f"{number}.yaml"
        file.write_text(OF_POOL % (asked[0], asked[1], asked[0]))
        return {"simulation": [str(file)]}

    found = select("t", flags=flags(0, ("a", 3) if before is None else before))
    found.prepare()
    if before is None:
        remove_tree(found.paths.simulation)
    assert (gone := select("t", flags=flags(1, after)).going_nodes()) == going
    assert what_becomes_of_pods(gone).startswith(says)


def test_a_simulation_is_kept_as_it_was_accepted(machine: Machine, tmp_path: Path) -> None:
    file = tmp_path / "nodes.yaml"
    file.write_text(OF_POOL % ("a", 3, "a"))
    first = select("t", flags={"simulation": [str(file)]})
    first.prepare()
    for text in ("half: [edited", None):
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        again = select("t")
        again.prepare()
        assert simulation_of(again.config).template.count == 3, "it goes on with what it was given"
        assert told_of(again.setup) == told_of(first.setup)
    file.write_text(OF_POOL % ("a", 7, "a"))
    assert simulation_of(select("t").config).template.count == 3, "nobody gave it anew"
    changed = select("t", flags={"simulation": [str(file)]})
    changed.prepare()
    assert told_of(changed.setup)["simulation"] != told_of(first.setup)["simulation"]
    assert (simulation_of(changed.config).template.count, nodes_of(changed.setup)) == (
        7,
        f"node {changed.setup.node.name} is Ready; 7 simulated nodes",
    )
    assert len(list(changed.paths.simulation.iterdir())) == 1, "what is not used any more is gone"
    remove_tree(changed.paths.simulation)
    with pytest.raises(
        Failure, match=r"simulation: .*cannot be read: No such file.*wherry up --simulation FILE"
    ):
        select("t")
    without = select("t", flags={"simulation": [""]})
    without.prepare()
    assert (without.config.simulation, without.config.simulated_nodes) == ((), 0)


def test_a_home_that_is_not_there_is_told_with_the_remedy(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cli.up.find_problems", lambda config, spelling: [])
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(file / "nonexistent"))
    assert run_main(monkeypatch, "up", "--runtime", "simulated") == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith("Not a directory; choose another place with --data-dir")
    assert "Errno" not in said


def test_an_up_that_is_interrupted_early_says_that_nothing_was_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cli.up.find_problems", lambda *_: signal.raise_signal(signal.SIGINT))
    assert run_main(monkeypatch, "up") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "wherry: interrupted; nothing was made"


def test_a_cluster_is_not_made_when_its_settings_are_interrupted(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wherry.cli.selection.effective_config", lambda *_, **__: _interrupt())
    for command in ("up", "start"):
        assert run_main(monkeypatch, command) == 130
        assert capsys.readouterr().err == "wherry: interrupted; nothing was changed\n"


def test_whatever_is_interrupted_says_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("wherry.cli.list.known_names", _interrupt)
    assert run_main(monkeypatch, "list") == 130
    assert capsys.readouterr().err == "wherry: interrupted\n"


def test_what_is_interrupted_while_it_is_loaded_says_so() -> None:
    program = "import sys, signal; sys.meta_path.insert(0, type('F', (), {'find_spec': lambda *a: "
    program += "a[0] == 'wherry.cli.main' and signal.raise_signal(signal.SIGINT) or None}))\n"
    program += "from wherry.cli.entry import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "wherry: interrupted; nothing was changed\n")


def _interrupt() -> Any:
    signal.raise_signal(signal.SIGINT)


def test_why_a_component_ended_is_said_once_while_others_wait(capsys: pytest.CaptureFixture[str]) -> None:
    look = _tell_exits(Steps())
    down = ComponentState("server", last_exit="cannot listen on 127.0.0.1:6443", restart_in_s=1.0)
    look({"server": down})
    look({"server": down})
    look({"server": ComponentState("server", pid=1, ready=True, last_exit="another")})
    look({"server": ComponentState("server", last_exit="given up", failure="given up")})
    told = "* server ended, and is started again: cannot listen on 127.0.0.1:6443\n"
    assert capsys.readouterr().err == told


def test_settings_of_a_node_that_is_not_there_are_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WHERRY_KUBELET_PORT", "11250")
    make(machine, runtime="simulated")
    given = {"node_labels": "a=b", "api_port": "7443", "watchdog_seconds": "40"}
    lifecycle = select(None, flags=given)
    assert lifecycle.without_effect() == ["node_labels", "kubelet_port"]
    assert select("other", flags={**given, "runtime": "containerd"}).without_effect() == []
    monkeypatch.setattr(Lifecycle, "is_running", lambda self: True)
    monkeypatch.setattr(Lifecycle, "outdated", lambda self, before=None: {})
    monkeypatch.setattr("wherry.cli.up._keep_up", lambda *_: "runs already")
    assert bring_up(lifecycle, 1, Steps()) == "runs already"
    assert capsys.readouterr().err == (
        "* --node-labels, WHERRY_KUBELET_PORT: no effect, as cluster 'default' has simulated nodes only\n"
    )


def test_a_full_disk_keeps_no_cluster_from_starting(
    stopped: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    stopped.prepare()
    stopped.paths.config.write_text(f"{stopped.paths.config.read_text()}# mine\n")
    with pytest.raises(OSError, match="No space") as caught:
        stopped.prepare()
    assert about_files(caught.value) == (
        f"{stopped.paths.config}: No space left on device; free space there (df -h {stopped.paths.data}), "
        "then run it again: nothing that was stored is lost"
    )


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("where", ["loading", "looking"])
def test_an_early_interruption_says_that_nothing_was_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "wherry.cli.commands":
                raise KeyboardInterrupt

    def interrupt(_: Lifecycle) -> bool:
        raise KeyboardInterrupt

    if where == "loading":
        monkeypatch.delitem(sys.modules, "wherry.cli.commands", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    else:
        monkeypatch.setattr(Lifecycle, "is_running", interrupt)
    assert run_main(monkeypatch, "start") == 130
    assert capsys.readouterr().err == "wherry: interrupted; nothing was changed\n"
