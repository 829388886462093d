"""Ending a cluster: what is secret goes first, and what resists is told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.test_trees import make_deep
from wherry.cluster import teardown
from wherry.cluster.clusters import Machine
from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import EndFailed, Lifecycle, NotReadyInTime
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.state import ComponentState, States


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lifecycle:
    """A cluster that was up once; nothing of it runs."""
    machine = Machine(data_root=tmp_path / "data", run_root=tmp_path / "run")
    paths = ClusterPaths.of("x", tmp_path / "data" / "x", tmp_path / "run")
    for secret in (paths.pki / "ca.key", paths.admin_kubeconfig, paths.store):
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("secret")
    paths.run.mkdir(parents=True)
    paths.config.write_text("")
    monkeypatch.setattr(teardown, "tear_down_nodes", lambda *_: None)
    return Lifecycle(machine, Setup.of("x", node_name="n"), paths)


def secrets(made: Lifecycle) -> list[str]:
    """Every file with a secret in it that is left."""
    found = made.paths.data.rglob("*") if made.paths.data.exists() else ()
    return [file.name for file in found if file.is_file() and file.read_text() == "secret"]


def test_delete_leaves_nothing_whatever_containers_wrote(made: Lifecycle) -> None:
    made.node_paths.data.mkdir(parents=True)
    make_deep(made.node_paths.kubelet, ["a"] * 1100)
    make_deep(made.node_paths.containerd, ["n" * 200] * 20)
    made.delete()
    assert not made.paths.data.exists()
    assert not made.paths.run.exists()
    made.delete()


def test_keys_are_gone_even_if_the_rest_resists(made: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    def resist(*_: object) -> None:
        raise OSError(16, "Device or resource busy", "/some/mount")

    monkeypatch.setattr(teardown, "tear_down_nodes", resist)
    with pytest.raises(EndFailed, match="/some/mount: Device or resource busy"):
        made.delete()
    assert secrets(made) == []
    assert made.exists(), "so that it can be deleted once more"


def test_a_mount_keeps_the_data_but_no_keys(made: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        teardown, "mounts_below", lambda d: [made.paths.nodes] if d == (made.paths.data,) else []
    )
    with pytest.raises(EndFailed, match="still mounted"):
        made.delete()
    assert secrets(made) == []


def test_data_behind_a_link_goes_too(made: Lifecycle, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    made.paths.data.rename(elsewhere)
    made.paths.data.symlink_to(elsewhere)
    machine = Machine(data_root=tmp_path / "other", run_root=tmp_path / "run")
    Lifecycle(machine, made.setup, made.paths).delete()
    assert not elsewhere.exists()


@pytest.mark.parametrize(("given", "said"), [(0.5, "0.5"), (60.0, "60"), (1234567.5, "1234567.5")])
def test_what_was_waited_is_said_exactly(
    made: Lifecycle, monkeypatch: pytest.MonkeyPatch, given: float, said: str
) -> None:
    def nothing_in_time(_: ClusterPaths, timeout_s: float) -> Iterator[States]:
        assert timeout_s == given
        yield {"server": ComponentState("server", 7, ready=True), "agent": ComponentState("agent", 8)}
        raise TimeoutError

    monkeypatch.setattr("wherry.cluster.lifecycle.follow", nothing_in_time)
    monkeypatch.delenv("WHERRY_NAME", raising=False)
    with pytest.raises(NotReadyInTime) as late:
        made.wait_ready(given, lambda _: None)
    assert str(late.value) == f"not ready within {said} s: agent; see: wherry logs --name x agent"
