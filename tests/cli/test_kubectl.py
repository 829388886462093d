"""`wherry kubectl` takes its own leading option and leaves everything else to kubectl."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import wherry
from wherry.cli.failures import Failure
from wherry.cli.kubectl import become_kubectl, find_kubectl, split_name
from wherry.cluster.lifecycle import Lifecycle


@pytest.mark.parametrize(
    ("given", "name", "rest"),
    [
        (["get", "pods"], None, ["get", "pods"]),
        (["--name", "dev", "exec", "p", "--", "ls"], "dev", ["exec", "p", "--", "ls"]),
        (["--name=dev", "get"], "dev", ["get"]),
        (["get", "--name", "x"], None, ["get", "--name", "x"]),
        (["--name"], None, ["--name"]),
    ],
)
def test_only_a_leading_name_is_ours(given: list[str], name: str | None, rest: list[str]) -> None:
    assert split_name(given) == (name, rest)


def test_the_variable_wins_and_nothing_found_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("WHERRY_KUBECTL", raising=False)
    with pytest.raises(Failure, match="make tools"):
        find_kubectl()
    own = tmp_path / "my-kubectl"
    own.touch()
    monkeypatch.setenv("WHERRY_KUBECTL", str(own))
    assert find_kubectl() == str(own)


def test_a_stopped_cluster_is_told_with_the_way_to_start_it(
    stopped: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERRY_KUBECTL", "/bin/echo")
    done = wherry("kubectl", "get", "pods")
    assert done.returncode == 3
    assert done.stderr == "wherry: cluster 'default' is stopped; start it with: wherry start\n"
    assert wherry("kubectl", "config", "view").stdout == "config view\n", "which needs no server"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["get", "pods", "--name", "x", "-A"],
            "--name goes right after kubectl: wherry kubectl --name x get pods -A",
        ),
        (
            ["exec", "p", "--name=x", "--", "ls", "--name"],
            "--name goes right after kubectl: wherry kubectl --name x exec p -- ls --name",
        ),
        (["exec", "p", "--", "ls", "--name", "x"], None),
        (["expose", "deployment", "web", "--name", "x"], None),
    ],
)
def test_a_name_behind_the_command_is_told_its_place(
    stopped: Lifecycle, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str | None
) -> None:
    monkeypatch.setenv("WHERRY_KUBECTL", "/bin/echo")
    with pytest.raises(Failure) as refused:
        become_kubectl(given)
    assert (str(refused.value) == said) if said else ("is stopped" in str(refused.value))
