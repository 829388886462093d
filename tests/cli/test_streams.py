"""Results that cannot be written: one line on standard error, exit code 1, whatever the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import WHERRY
from tests.cli.warm import warm
from wherry.cluster.clusters import Machine
from wherry.cluster.lifecycle import Lifecycle

PRINTING = [
    ("--help",),
    ("--version",),
    ("version", "-o", "json"),
    ("list",),
    ("list", "-o", "json"),
    ("status",),
    ("status", "-o", "json"),
    ("kubeconfig",),
    ("completion", "fish"),
    ("up", "--help"),
    ("image", "--help"),
    ("kubectl", "--help"),
]


@pytest.fixture(autouse=True)
def kubectl(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubectl is found, wherever this machine has one."""
    monkeypatch.setenv("WHERRY_KUBECTL", "/bin/echo")


def run(command: tuple[str, ...], redirection: str) -> subprocess.CompletedProcess[str]:
    script = f'exec "$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", script, "bash", *WHERRY, *command], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_results_nobody_has_room_for(stopped: Lifecycle, command: tuple[str, ...]) -> None:
    done = warm().run(command, stdout=Path("/dev/full"))
    assert done.stderr == "wherry: stdout cannot be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_results_nobody_wants(stopped: Lifecycle, command: tuple[str, ...]) -> None:
    done = run(command, ">&-")
    assert done.stderr == "wherry: stdout cannot be written: Bad file descriptor\n"
    assert done.returncode == 1


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "0<&-", "0<&- 2>&-"])
def test_nowhere_to_complain_is_no_reason_to_fail(stopped: Lifecycle, redirection: str) -> None:
    done = run(("status",), redirection)
    assert done.returncode == 3
    assert done.stdout.startswith("Cluster default is stopped.\n")


def test_what_is_closed_is_never_written_into_the_next_file(stopped: Lifecycle) -> None:
    """The number of a closed stream would else go to the first file that is opened."""
    script = (
        "import os; from wherry.cli.terminal import open_what_is_closed\n"
        "open_what_is_closed()\n"
        f"number = os.open({str(stopped.paths.config)!r}, os.O_RDONLY)\n"
        "os._exit(number)\n"
    )
    done = subprocess.run(["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash", sys.executable, "-c", script])
    assert done.returncode > 2
