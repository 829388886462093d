"""After any churn the server is as small as when it was fresh, or nearly."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise

import pytest

AGAIN = 1.75
"""So many times the fresh memory may be resident: what the allocator keeps free between what is in use is its
own affair, and another on each machine. What is in use is told exactly, by its blocks."""
MORE_KEPT = 1.15
KEPT_PER_TURN = 500
"""A turn makes and deletes 1,200 objects, or a hundred with their kinds: one block for each would be more."""


pytestmark = pytest.mark.slow  # six turns of churn and of giving memory back, in a process of its own


@pytest.mark.parametrize("backend", ["sqlite", "memory"])
@pytest.mark.parametrize("kind", ["namespaces", "definitions"])
def test_memory_comes_back_within_a_minute(backend: str, kind: str) -> None:
    command = [sys.executable, "-m", "tests.apiserver.churning", backend, kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (fresh, fresh_blocks), *after = json.loads(done.stdout)
    resident, blocks = zip(*after, strict=True)
    assert max(resident) < AGAIN * fresh, (fresh, resident)
    assert max(blocks) < MORE_KEPT * fresh_blocks, (fresh_blocks, blocks)
    # A leak shows in every turn; what is made at first use, or a table that is doubled, in one.
    assert min(late - early for early, late in pairwise(blocks)) < KEPT_PER_TURN, ("it grows", blocks)
