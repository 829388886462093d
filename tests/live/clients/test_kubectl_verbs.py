"""All commands of kubectl 1.37, each tried for what it is there for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.live.clients.page import Page
from tests.live.clients.trials import TRIALS
from tests.live.clients.trials.base import Bench, Trial
from tests.live.cluster import LiveCluster, kubectl_program

GROUPS = ("apply", "auth", "certificate", "cluster-info", "create", "rollout", "set", "top")
"""Commands with commands below them that have a row of their own."""


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.command.replace(" ", "_"))
def test_command(trial: Trial, cluster: LiveCluster, furnished: str, tmp_path: Path, page: Page) -> None:
    """The command does in this cluster what the compatibility table says."""
    try:
        trial.attempt(Bench(cluster, furnished, tmp_path))
    except (AssertionError, LookupError, subprocess.TimeoutExpired):
        if page.works("kubectl", trial.command):
            raise
        page.expect("kubectl", (trial.command, trial.tried), "no")
    else:
        page.expect("kubectl", (trial.command, trial.tried), "yes")


def test_every_command_of_kubectl_is_tried() -> None:
    """A kubectl with new commands fails here until they have a trial."""
    tried = {trial.command for trial in TRIALS}
    missing = [
        command for command in commands() if not any(re.match(rf"{command}($|[ ,])", name) for name in tried)
    ]
    assert missing == []


def commands() -> list[str]:
    """What kubectl's own help lists, down to the commands below `GROUPS`."""
    found = []
    for name in _listed():
        below = [f"{name} {inner}" for inner in _listed(name)] if name in GROUPS else []
        found += below or [name]
    return found


def _listed(*command: str) -> list[str]:
    shown = subprocess.run(
        [kubectl_program(), *command, "--help"], check=True, capture_output=True, text=True
    ).stdout
    blocks = re.findall(r"Commands[^\n]*:\n((?:  \S[^\n]*\n)+)", shown)
    return [line.split()[0] for block in blocks for line in block.splitlines()]
