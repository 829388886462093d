"""Ending clusters: the one that is meant, or all, never more; deletion asks a person first."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import WHERRY, make, run_main, wherry
from wherry.cluster.clusters import Machine


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """End clusters as whoever runs the tests; there is nothing of them on the machine."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cluster.teardown.tear_down_nodes", lambda setup, paths: None)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("command", ["down", "delete"])
@pytest.mark.parametrize("one", [("--name", "dev"), ("--data-dir", "/x")])
def test_all_and_one_are_not_the_same(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    one: tuple[str, str],
) -> None:
    make(machine, name="dev")
    assert run_main(monkeypatch, command, "--all", *one) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"wherry: --all means every cluster, {one[0]}")
    assert machine.names() == ["dev"]


@pytest.mark.usefixtures("root")
def test_delete_says_what_it_deletes(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("default", "dev", "kept"):
        make(machine, name=name)
    assert run_main(monkeypatch, "delete", "--name", "dev") == 0
    assert machine.names() == ["default", "kept"]
    home = machine.data_root
    assert (
        capsys.readouterr().err.splitlines()[0]
        == f"To be deleted: cluster dev with all its data in {home / 'dev'}"
    )
    assert run_main(monkeypatch, "delete", "--all") == 0
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("To be")] == [
        f"To be deleted: cluster {name} with all its data in {home / name}" for name in ("default", "kept")
    ]
    assert machine.names() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="clusters are ended by root")
@pytest.mark.parametrize(
    ("answer", "flags", "code"), [(b"n\n", (), 1), (b"\n", (), 1), (b"yes\n", (), 0), (b"", ("--yes",), 0)]
)
def test_on_a_terminal_delete_asks(
    machine: Machine, answer: bytes, flags: tuple[str, ...], code: int
) -> None:
    # Data alone, so that nothing of the machine is touched: no node was ever set up.
    home = machine.data_root / "x"
    make(machine, name="x")
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    done = subprocess.run(
        [*WHERRY, "delete", "--name", "x", *flags], stdin=theirs, capture_output=True, text=True, timeout=60
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert ("Delete it? [y/N]" in done.stderr) == (not flags)
    assert home.exists() == (code != 0)
    if code:
        assert "nothing was deleted" in done.stderr


@pytest.mark.usefixtures("root")
def test_one_that_cannot_be_read_keeps_no_other_running(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(machine, name="a").paths.config.write_text("a: [")
    make(machine, name="b")
    assert run_main(monkeypatch, "down", "--all") == 78
    said = capsys.readouterr()
    assert "Cluster b is down" in said.out
    assert "not valid YAML" in said.err


@pytest.mark.parametrize("command", ["stop", "down", "delete", "status", "logs", "kubeconfig"])
def test_a_missing_cluster_is_told_with_its_own_name(machine: Machine, command: str) -> None:
    if os.geteuid() != 0 and command in ("stop", "down", "delete"):
        pytest.skip("clusters are ended by root")
    make(machine)
    done = wherry(command, "--name", "absent")
    if command in ("down", "delete"):
        assert done.stdout == "There is no cluster absent; nothing to do. There are: default.\n"
        assert done.returncode == 0
    else:
        assert done.returncode == 3
        assert done.stderr == (
            "wherry: there is no cluster 'absent'; there are: default; "
            "make it with: wherry up --name absent\n"
        )
    assert machine.names() == ["default"]


def test_settings_of_the_moment_do_not_keep_a_cluster_from_its_end(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cluster.teardown.tear_down_nodes", lambda setup, paths: None)
    make(machine)
    monkeypatch.setenv("WHERRY_POD_CIDR", "10.9.0.0/24")
    assert run_main(monkeypatch, "delete") == 0
    assert machine.names() == []


@pytest.mark.usefixtures("root")
def test_whoever_deletes_the_current_cluster_is_told_what_kubectl_speaks_to_now(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "made" / "config"))
    for name in ("dev", "ci"):
        make(machine, name=name)
        assert run_main(monkeypatch, "kubeconfig", "--merge", "--name", name) == 0
    capsys.readouterr()
    assert run_main(monkeypatch, "delete", "--name", "ci") == 0
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith("has no current context any more; choose one: kubectl config use-context wherry-dev")
    assert run_main(monkeypatch, "delete", "--name", "dev") == 0
    assert "current context" not in capsys.readouterr().err, "there is none to choose"


@pytest.mark.usefixtures("root")
def test_the_context_goes_wherever_it_was_put(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """$KUBECONFIG may be another when the cluster is deleted, and what it holds is an administrator's key."""
    make(machine, name="dev")
    put = [tmp_path / "one", tmp_path / "two"]
    for path in (*put, put[0]):
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert run_main(monkeypatch, "kubeconfig", "--merge", "--name", "dev") == 0
        assert "wherry-dev" in path.read_text()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "another"))
    assert run_main(monkeypatch, "delete", "--name", "dev") == 0
    assert ["wherry-dev" in path.read_text() for path in put] == [False, False]
    assert not (tmp_path / "another").exists()


@pytest.mark.usefixtures("root")
def test_notes_that_cannot_be_read_keep_no_cluster(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lifecycle = make(machine, name="dev")
    lifecycle.paths.noted_kubeconfigs.write_text("[1")
    assert run_main(monkeypatch, "delete", "--name", "dev") == 0
    assert "context wherry-dev may be left in kubeconfigs" in capsys.readouterr().err
    assert machine.names() == []


@pytest.mark.usefixtures("root")
def test_no_context_is_named_that_goes_as_well(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "made" / "config"))
    for name in ("dev", "ab"):
        make(machine, name=name)
        assert run_main(monkeypatch, "kubeconfig", "--merge", "--name", name) == 0
    assert run_main(monkeypatch, "delete", "--all", "--yes") == 0
    assert "current context" not in capsys.readouterr().err


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("runtime", "said"),
    [("containerd", "its pods still run"), ("simulated", "its simulated nodes and pods stand still")],
)
def test_stop_says_what_becomes_of_pods(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runtime: str,
    said: str,
) -> None:
    make(machine, runtime=runtime)
    assert run_main(monkeypatch, "stop") == 0
    assert said in capsys.readouterr().out


@pytest.mark.usefixtures("root")
def test_a_cluster_that_is_down_is_not_said_to_be_taken_down(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lifecycle = make(machine)
    assert lifecycle.paths.run.exists()
    assert run_main(monkeypatch, "down") == 0
    said = capsys.readouterr()
    assert f"Taking {lifecycle.config.context} down" in said.err
    assert "is down; its data" in said.out
    assert run_main(monkeypatch, "down") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "Cluster default is down already; its data stays in" in said.out
