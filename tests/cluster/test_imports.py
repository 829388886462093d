"""What a process loads before anybody needs it: it is memory for ever and time at every start."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = {"aiohttp", "cryptography", "jwt", "re2", "rich", "typer", "zstandard"}
"""Packages that are imported when something first asks for what they do."""


@pytest.mark.slow
@pytest.mark.parametrize("component", ["server", "agent", "supervisor"])
def test_nothing_is_loaded_that_may_never_be_needed(component: str) -> None:
    script = f"import sys, wherry.cluster.{component}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert f"wherry.cluster.{component}" in loaded
    needed_by_agents = {"aiohttp"} if component == "agent" else set()
    assert loaded & LATER == needed_by_agents
