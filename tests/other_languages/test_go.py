"""Programs of the Go world against Wherry, where a Go toolchain is there; see `go/` beside this file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.other_languages.programs import go_binary, served, told
from wherry.testing import Cluster
from wherry.testing.envtest.assets import write_assets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go toolchain: programs in Go are left out"),
]


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs on client-go."""
    return go_binary("./clients", tmp_path_factory.mktemp("go") / "clients.test")


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator on controller-runtime with its suite."""
    return go_binary("./operator", tmp_path_factory.mktemp("go") / "operator.test")


@pytest.mark.parametrize("controllers", ["", "all"])
def test_an_ordinary_envtest_suite_runs_unchanged(tmp_path: Path, operator: Path, controllers: str) -> None:
    said = told(
        [str(operator), "-test.v"],
        tmp_path / "none",
        KUBEBUILDER_ASSETS=str(write_assets(tmp_path / "assets")),
        WHERRY_ENVTEST_CONTROLLERS=controllers,
    )
    assert said.count("--- PASS") == (3 if controllers else 2)


def test_programs_on_client_go(tmp_path: Path, clients: Path) -> None:
    with served(tmp_path / "kubeconfig", "--nodes", "3") as kubeconfig:
        said = told([str(clients), "-test.v", "-test.skip=Restart|410"], kubeconfig)
    assert said.count("\n--- PASS") >= 15
    assert "--- SKIP" not in said


def test_programs_on_client_go_across_restarts(clients: Path) -> None:
    with Cluster(nodes=3) as cluster:
        said = told(
            [str(clients), "-test.v", "-test.run=Restart|410"],
            cluster.kubeconfig,
            cluster.faults.restart_api_server,
        )
    assert said.count("\n--- PASS") == 6
    assert "--- SKIP" not in said
