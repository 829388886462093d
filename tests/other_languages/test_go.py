"""Programs of the Go world against Wherry, where a Go toolchain is there; see `go/` beside this file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from wherry.testing.envtest.assets import write_assets

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go toolchain: programs in Go are left out"),
]
HERE = Path(__file__).parent / "go"


def go_test(package: str, **variables: str) -> str:
    """Run the Go tests of a package; their output."""
    ran = subprocess.run(
        ["go", "test", "-count=1", "-v", package],
        cwd=HERE,
        env={**os.environ, "GOFLAGS": "-mod=readonly", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert ran.returncode == 0, f"{ran.stdout[-5000:]}\n{ran.stderr[-5000:]}"
    return ran.stdout


@pytest.mark.parametrize("controllers", ["", "all"])
def test_an_ordinary_envtest_suite_runs_unchanged(tmp_path: Path, controllers: str) -> None:
    assets = write_assets(tmp_path / "assets")
    told = go_test("./operator", KUBEBUILDER_ASSETS=str(assets), WHERRY_ENVTEST_CONTROLLERS=controllers)
    assert told.count("--- PASS") == (3 if controllers else 2)
