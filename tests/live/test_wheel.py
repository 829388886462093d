"""The wheel works on its own: installed without this checkout, its `wherry up` gives a cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.live.cluster import SLOT, LiveCluster, slot_flags
from tests.live.machine import footprint

ROOT = Path(__file__).parents[2]
(README_BUILD,) = re.findall(
    r"<!-- build: wheel -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL
)
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout as the README says."""
    assert "make wheel\n" in README_BUILD
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(["make", "-C", str(ROOT), "wheel", f"DIST={directory}"], check=True, capture_output=True)
    (found,) = directory.glob("wherry-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`wherry` in a virtual environment that has the wheel; dependencies are those of the tests'."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory, symlinks=True)
    python = directory / "bin" / "python"
    subprocess.run(
        [*PIP, "--python", str(python), "install", "--no-deps", str(wheel)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    (site,) = directory.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return directory / "bin" / "wherry"


def test_everything_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    kept = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "wherry").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        assert kept <= set(archive.namelist())


def test_up_from_the_installed_wheel(installed: Path, cluster: LiveCluster) -> None:
    own = LiveCluster(
        directory=cluster.directory,
        name=f"wheel{SLOT}",
        flags=slot_flags(SLOT + 10),
        variables={"KUBECONFIG": str(cluster.directory / "wheel-kubeconfig"), "PYTHONPATH": ""},
        program=installed,
    )
    try:
        own.up()
        assert own.status()["ready"]
        program = Path(f"/proc/{own.pid('server')}/cmdline").read_bytes().split(b"\0")[0].decode()
        assert Path(program).parent == installed.parent
        where = subprocess.run(
            [program, "-c", "import wherry; print(wherry.__file__)"],
            cwd=own.directory,
            env=own.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        assert Path(where.stdout.strip()).is_relative_to(installed.parents[1])
        own.kubectl("create", "configmap", "made", "--from-literal=by=wheel")
        assert own.kubectl("get", "nodes", "-o", "name").strip() == "node/live"
    finally:
        own.wherry("delete")
    assert footprint(own.marks).found() == {}
