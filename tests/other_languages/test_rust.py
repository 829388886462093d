"""A controller on kube-rs against Wherry, where cargo is there; see `rust/` beside this file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.other_languages.programs import HERE, built, served, told
from wherry.testing import Cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo: programs in Rust are left out"),
]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wherry" / "rust"
"""Where the build is kept from run to run."""


@pytest.fixture(scope="module")
def controller() -> Path:
    """The controller with what it has to show, as a program."""
    built(["cargo", "build", "--locked", "--quiet", "--target-dir", str(CACHE)], HERE / "rust")
    return CACHE / "debug" / "other-languages"


def test_a_controller_on_kube_rs(tmp_path: Path, controller: Path) -> None:
    with served(tmp_path / "kubeconfig") as kubeconfig:
        assert told([str(controller)], kubeconfig).endswith("all was shown\n")


def test_a_controller_on_kube_rs_across_restarts(controller: Path) -> None:
    with Cluster() as cluster:
        said = told([str(controller)], cluster.kubeconfig, cluster.faults.restart_api_server)
    assert said.endswith("all was shown\n")
