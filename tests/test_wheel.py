"""The wheel works on its own: everything the package reads at run time is in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
from wherry.api.catalog import BUILTIN
from wherry.api.schema import definition
from wherry.api.protobuf import encode
from wherry.cli.main import app
import wherry
assert "site" in wherry.__file__, wherry.__file__
definition(BUILTIN[0].schema).fields()
encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
print(wherry.__version__)
"""


@pytest.mark.slow
def test_the_wheel_works_on_its_own(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("wherry-*.whl")
    kept = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "wherry").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        assert kept <= set(archive.namelist())
        archive.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
