"""A machine of the tests' own, and the command line on it as a process or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.warm import warm
from wherry.cli.main import main
from wherry.cluster.clusters import Machine
from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import Lifecycle, open_lifecycle

WHERRY = (sys.executable, "-m", "wherry.cli.main")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without clusters, which `wherry` means; nobody's variables are set."""
    for name in [name for name in os.environ if name.startswith("WHERRY_")]:
        monkeypatch.delenv(name)
    for name in ("KUBECONFIG", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WHERRY_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("WHERRY_RUN_ROOT", str(tmp_path / "run"))
    return Machine(data_root=tmp_path / "data", run_root=tmp_path / "run")


@pytest.fixture
def stopped(machine: Machine) -> Lifecycle:
    """A cluster `default` that was made and does not run."""
    return make(machine)


def make(machine: Machine, **settings: Any) -> Lifecycle:
    """A cluster that was made and does not run."""
    lifecycle = open_lifecycle(machine, Setup.of(node_name="n", **settings))
    lifecycle.prepare()
    return lifecycle


def wherry(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run `wherry ...` as a process; `how` are the directory and the variables, as of `subprocess.run`."""
    return warm().run(arguments, **how)


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `wherry ...` in this process; its exit code."""
    monkeypatch.setattr(sys, "argv", ["wherry", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)
