"""Merging into somebody's kubeconfig changes our entries and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wherry.cluster.caller import Caller
from wherry.cluster.kubeconfig import (
    Access,
    KubeconfigError,
    merge,
    read,
    render,
    user_kubeconfig,
    without,
    write,
)

OURS = Access(
    context="wherry-default",
    server="https://127.0.0.1:6443",
    authority_pem=b"ca",
    cert_pem=b"c",
    key_pem=b"k",
)
OTHERS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "preferences": {"colors": True},
    "clusters": [{"name": "other", "cluster": {"server": "https://example.com"}}],
    "users": [{"name": "other", "user": {"token": "t"}}],
    "contexts": [{"name": "other", "context": {"cluster": "other", "user": "other"}}],
    "current-context": "other",
}


def test_merge_adds_ours_and_keeps_the_rest() -> None:
    merged = merge(OTHERS, OURS)
    assert merged["preferences"] == {"colors": True}
    assert [entry["name"] for entry in merged["clusters"]] == ["other", "wherry-default"]
    assert merged["current-context"] == "wherry-default"
    assert merge(merged, OURS) == merged, "merging twice is harmless"
    assert OTHERS["current-context"] == "other", "the argument is not changed"


def test_merge_into_nothing_is_a_whole_kubeconfig() -> None:
    assert merge({}, OURS) == render(OURS)


def test_taking_out_is_the_inverse() -> None:
    left = without(merge(OTHERS, OURS), "wherry-default")
    assert left == {**OTHERS, "current-context": ""}


def test_written_file_is_private_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "config"
    write(path, render(OURS))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    write(path, merge(read(path), OURS))
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("a: [")
    with pytest.raises(KubeconfigError, match="not a kubeconfig"):
        read(path)
    assert path.read_text() == "a: ["


def test_the_first_file_of_the_variable_is_used(tmp_path: Path) -> None:
    caller = Caller(tmp_path, (1000, 1000))
    assert user_kubeconfig({"KUBECONFIG": "/a/x:/b/y"}, caller).path == Path("/a/x")
    assert user_kubeconfig({}, caller).path == tmp_path / ".kube" / "config"


def test_only_what_lies_in_their_home_is_used_with_their_rights(tmp_path: Path) -> None:
    caller = Caller(tmp_path, (1000, 1000))
    assert user_kubeconfig({}, caller).caller == caller
    assert user_kubeconfig({"KUBECONFIG": f"{tmp_path}/mine"}, caller).caller == caller
    assert user_kubeconfig({"KUBECONFIG": "/etc/cluster"}, caller).caller.ids is None


def test_only_dot_kube_at_home_is_ever_made(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    theirs = user_kubeconfig({}, Caller(home))
    theirs.check_place()
    theirs.write(render(OURS))
    assert theirs.has_context(OURS.context)
    assert not theirs.has_context("other")
    mistyped = user_kubeconfig({"KUBECONFIG": str(tmp_path / "typo" / "config")}, Caller(home))
    with pytest.raises(KubeconfigError, match=r"typo/config: there is no directory .*typo; make it"):
        mistyped.write(render(OURS))
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "line 1 is not YAML"),
        ("- a", "not a map"),
        ("clusters: x", "clusters is not a list of maps"),
        ("contexts: [x]", "contexts is not a list of maps"),
        ("a: " + "[" * 3000 + "]" * 3000, "not YAML"),
    ],
)
def test_what_is_no_kubeconfig_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError) as refused:
        read(path)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)
