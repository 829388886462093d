"""After any churn the server is as small as when it was fresh, or nearly."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from statistics import mean

import pytest

AGAIN = 1.5
GROWTH_PER_TURN_BYTES = 3_000_000


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        ("sqlite", "namespaces"),
        pytest.param("sqlite", "definitions", marks=pytest.mark.slow),
        pytest.param("memory", "namespaces", marks=pytest.mark.slow),
        pytest.param("memory", "definitions", marks=pytest.mark.slow),
    ],
)
def test_memory_comes_back_within_a_minute(backend: str, kind: str) -> None:
    command = [sys.executable, "-m", "tests.apiserver.churning", backend, kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    fresh, *later = json.loads(done.stdout)
    assert max(later) < AGAIN * fresh, (fresh, later)
    growths = [after - before for before, after in pairwise(later)]
    # A leak shows turn after turn; an arena of the allocator that is opened late is opened once.
    assert mean(growths[1:]) < GROWTH_PER_TURN_BYTES, ("it grows", fresh, later)
