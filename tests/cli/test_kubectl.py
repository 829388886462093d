"""`wherry kubectl` takes its own leading option and leaves everything else to kubectl."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cli.failures import Failure
from wherry.cli.kubectl import find_kubectl, split_name


@pytest.mark.parametrize(
    ("given", "name", "rest"),
    [
        (["get", "pods"], "", ["get", "pods"]),
        (["--name", "dev", "exec", "p", "--", "ls"], "dev", ["exec", "p", "--", "ls"]),
        (["--name=dev", "get"], "dev", ["get"]),
        (["get", "--name", "x"], "", ["get", "--name", "x"]),
        (["--name"], "", ["--name"]),
    ],
)
def test_only_a_leading_name_is_ours(given: list[str], name: str, rest: list[str]) -> None:
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
