"""What a test cluster loads before it is needed: it is time at the start of every test run."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # an interpreter each

WHEN_IMPORTED = {"cryptography", "h11", "numpy", "re2", "wsproto", "wherry.hollow.hollow", "wherry.scheduler"}
UNTIL_PODS = {"h11", "numpy", "re2", "wsproto", "wherry.hollow.hollow", "wherry.scheduler.scheduler"}
EMPTY = "c = Cluster().start(); c.client.list('namespaces'); print(*sys.modules)"


@pytest.mark.parametrize(("program", "later"), [("print(*sys.modules)", WHEN_IMPORTED), (EMPTY, UNTIL_PODS)])
def test_nothing_is_loaded_that_a_test_may_never_need(program: str, later: set[str]) -> None:
    script = f"import sys; from wherry.testing import Cluster; {program}"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "wherry.testing.cluster" in loaded
    assert not loaded & later
