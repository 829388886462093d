"""What a process loads before anybody needs it: it is memory for ever and time at every start."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cluster.idle_server import paths_of, setup_of
from tests.ports import free_port
from wherry.cluster.addresses import node_ip
from wherry.cluster.config import Setup, dump_config
from wherry.cluster.identities import ensure_identities

LATER = {"aiohttp", "cryptography", "jwt", "re2", "rich", "typer", "zstandard"}
"""Packages that are imported when something first asks for what they do."""

REPOSITORY = Path(__file__).parents[2]

MOST_MODULES = 1_280
MOST_MB = 78
"""What an idle server may come to, some tenth more than it does."""


@pytest.mark.slow
@pytest.mark.parametrize("component", ["server", "agent", "supervisor"])
def test_nothing_is_loaded_that_may_never_be_needed(component: str) -> None:
    script = f"import sys, wherry.cluster.{component}; print(*sys.modules)"
    loaded = set(_run("-c", script).split())
    assert f"wherry.cluster.{component}" in loaded
    needed_by_agents = {"aiohttp"} if component == "agent" else set()
    assert loaded & LATER == needed_by_agents


@pytest.mark.slow
@pytest.mark.parametrize("module", ["wherry.cluster.agent", "wherry.cluster.lifecycle"])
def test_who_reads_the_settings_does_not_load_the_server_for_it(module: str, tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(dump_config(Setup.of("idle", node_name="a", node_labels={"example.com/rack": "7"})))
    loading = f"import sys, {module}; from wherry.cluster.config import *; from pathlib import Path"
    reading = f"read_config_file(Path({str(file)!r}), Setup.of('idle'))"
    loaded = _run("-c", f"{loading}; {reading}; print(*sys.modules)").split()
    assert module in loaded
    assert [name for name in loaded if name.startswith(("wherry.apiserver", "wherry.controllers"))] == []


@pytest.mark.slow
def test_an_idle_server_has_loaded_and_takes_no_more_than_it_needs(tmp_path: Path) -> None:
    """With all controllers and the scheduler, and an administrator who asked for something."""
    port = free_port()
    setup = setup_of(port)
    ensure_identities(setup, paths_of(tmp_path), node_ip(setup.cluster), datetime.now(UTC))  # as `up` does
    resident, *modules = _run("-m", "tests.cluster.idle_server", str(tmp_path), str(port)).split()
    assert {"wherry.scheduler.scheduler", "wherry.controllers.catalog"} <= {*modules}
    assert {*modules} & LATER == set()
    assert len(modules) <= MOST_MODULES
    assert int(resident) / 1000 <= MOST_MB


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=60, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kubectl_is_reached_without_what_reads_command_lines_or_waits() -> None:
    """It is typed more often than all else: what it does not need would be two thirds of its time."""
    loaded = set(_run("-c", "import sys, wherry.cli.main; print(*sys.modules)").split())
    assert "wherry.cli.kubectl" in loaded
    assert loaded & {"typer", "asyncio", "orjson", "ssl", "wherry.cli.commands"} == set()
