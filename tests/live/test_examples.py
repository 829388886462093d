"""The examples in the README and the pages do what they say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.live.cluster import LiveCluster

README = Path(__file__).parents[2] / "README.md"
PAGES = (README, README.parent / "docs" / "troubleshooting.md")
EXAMPLES = {
    name: script
    for page in PAGES
    for name, script in re.findall(
        r"<!-- example: ([\w-]+) -->\n```sh\n(.*?)```", page.read_text(), flags=re.DOTALL
    )
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(cluster: LiveCluster, name: str, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(README.parent / "docs")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", EXAMPLES[name]],
        cwd=tmp_path,
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if name == "deploy":
        assert "Welcome to nginx" in done.stdout
        cluster.kubectl("delete", "deployment,service", "web")


def test_there_are_examples() -> None:
    assert set(EXAMPLES) == {"deploy", "replication-controller", "look-around", "missing-image"}
