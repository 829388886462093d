"""Every command has help with an example, and usage errors have their exit code."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from typer.testing import CliRunner

from wherry.cli.commands import app
from wherry.cli.main import main
from wherry.cluster.clusters import Machine
from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import Lifecycle, StartFailed, open_lifecycle

GROUP: Any = typer.main.get_command(app)  # a click group, of the click that typer carries
COMMANDS: dict[str, Any] = {
    **GROUP.commands,
    **{f"image {name}": command for name, command in GROUP.commands["image"].commands.items()},
}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "image"])
def test_help_has_an_example(name: str) -> None:
    assert "Example" in (COMMANDS[name].help or "")


def test_the_commands_that_were_promised_are_there() -> None:
    promised = {"up", "down", "stop", "start", "status", "delete", "kubeconfig", "kubectl", "image"}
    promised |= {"server", "agent", "logs", "version", "completion", "list"}
    assert promised <= set(GROUP.commands)


@pytest.mark.parametrize("arguments", [["no-such-command"], ["up", "--no-such-flag"], ["status", "extra"]])
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = CliRunner().invoke(app, ["completion", shell])
    assert done.exit_code == 0
    assert "_WHERRY_COMPLETE" in done.output


def test_the_version_as_everybody_asks_for_it() -> None:
    asked = CliRunner().invoke(app, ["--version"])
    assert asked.exit_code == 0
    assert asked.output == CliRunner().invoke(app, ["version"]).output


def test_no_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(tmp_path))
    assert CliRunner().invoke(app, ["list"]).output == "There are no clusters; make one with: wherry up\n"
    assert CliRunner().invoke(app, ["list", "-o", "json"]).output == "[]\n"


def test_clusters_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("WHERRY_RUN_ROOT", str(tmp_path / "run"))
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run")
    for name, port in (("default", 6443), ("dev", 7443)):
        open_lifecycle(machine, Setup.of(name, node_name="n", api_port=port)).prepare()
    head, first, second = CliRunner().invoke(app, ["list"]).output.splitlines()
    assert head.split() == ["NAME", "STATE", "API", "SERVER", "DATA"]
    assert first.split() == ["default", "stopped", "https://127.0.0.1:6443", str(tmp_path / "data/default")]
    assert second.split()[:3] == ["dev", "stopped", "https://127.0.0.1:7443"]
    shutil.rmtree(machine.paths("dev").run)  # as `down` does, and the machine when it starts anew
    assert CliRunner().invoke(app, ["list"]).output.splitlines()[2].split()[:2] == ["dev", "down"]
    assert CliRunner().invoke(app, ["status", "--name", "dev"]).output.startswith("Cluster dev is down.\n")
    listed = json.loads(CliRunner().invoke(app, ["list", "-o", "json"]).output)
    assert [cluster["name"] for cluster in listed] == ["default", "dev"]


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which a cluster could start, and cannot get further than its first start; its home."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("WHERRY_RUN_ROOT", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(home))
    for name in ("KUBECONFIG", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("wherry.cli.up.find_problems", lambda config, spelling: [])

    def fail(self: Lifecycle) -> None:
        raise StartFailed("the machine is on fire")

    monkeypatch.setattr(Lifecycle, "start_supervisor", fail)
    monkeypatch.setattr("wherry.cluster.teardown.tear_down_nodes", lambda setup, paths: None)
    return home


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["wherry", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_first_start_that_fails_leaves_nothing(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "up") == 1
    assert "the machine is on fire" in capsys.readouterr().err
    assert not (tmp_path / "data" / "default").exists()
    assert (
        not (started / ".kube" / "config").exists() or "wherry" not in (started / ".kube/config").read_text()
    )


def test_a_first_start_that_fails_deletes_nothing_that_was_there(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "projects"
    theirs.mkdir()
    (theirs / "thesis").write_text("years of work")
    assert run_main(monkeypatch, "up", "--data-dir", str(theirs)) == 78
    assert "is not empty" in capsys.readouterr().err
    assert [entry.name for entry in theirs.iterdir()] == ["thesis"]


def test_a_broken_kubeconfig_is_one_line_and_nothing_is_made(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = started / ".kube" / "config"
    config.parent.mkdir()
    config.write_text("a: [")
    assert run_main(monkeypatch, "up") == 78
    *_, last = capsys.readouterr().err.splitlines()
    assert last == (
        f"wherry: {config}: not a kubeconfig (line 1 is not YAML); repair it or point KUBECONFIG elsewhere"
    )
    assert not (tmp_path / "data").exists()


def test_a_cluster_is_deleted_whatever_became_of_the_kubeconfig(
    started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run")
    open_lifecycle(machine, Setup.of(node_name="n")).prepare()
    config = started / ".kube" / "config"
    config.parent.mkdir()
    config.write_text("clusters: 7")
    assert run_main(monkeypatch, "delete") == 0
    said = capsys.readouterr()
    assert said.out == "Cluster default is deleted.\n"
    assert "context wherry-default was not taken out of the kubeconfig" in said.err
    assert not (tmp_path / "data" / "default").exists()
    assert config.read_text() == "clusters: 7"


def test_no_summary_of_a_command_is_cut() -> None:
    shown = CliRunner().invoke(app, ["--help"], terminal_width=80).output
    assert [line for line in shown.splitlines() if line.rstrip().endswith("...") and line[:2] == "  "] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--nodes", "three"], "--nodes: 'three' is not a number of nodes; use for example 100"),
        (["up", "--api-port", "x"], "--api-port: 'x' is not a port number"),
        (["up", "--wait", "x"], "--wait x is no time to wait; use a number of seconds above 0"),
        (["logs", "--lines", "x"], "--lines x: not a whole number; use for example --lines 3"),
        (["test-server", "--port", "x"], "--port x: not a whole number; use for example --port 3"),
    ],
)
def test_numbers_that_are_none_are_told_in_our_words(arguments: list[str], said: str) -> None:
    assert str(CliRunner().invoke(app, arguments).exception) == said


@pytest.mark.parametrize("name", COMMANDS)
def test_no_library_reads_numbers_with_words_of_its_own(name: str) -> None:
    callback = COMMANDS[name].callback
    for one in inspect.signature(callback, eval_str=True).parameters.values() if callback else ():
        kind, *marks = get_args(one.annotation) or (one.annotation,)
        if kind in (int, float):
            assert all(mark.parser for mark in marks), f"{name}: {one.name}"
