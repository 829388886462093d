"""What memory a server has after churn, beside what it has fresh (`tests/apiserver/churning`)."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.figures import Figure

ALLOWED = 1.5


def measure_churn() -> list[Figure]:
    """Resident memory fresh, and the most a minute after each of three rounds of churn."""
    figures = []
    for kind in ("namespaces", "definitions"):
        command = [sys.executable, "-m", "tests.apiserver.churning", "sqlite", kind]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        fresh, *later = (resident / 1e6 for resident, _ in json.loads(done.stdout))
        figures += [
            Figure(f"resident memory, fresh, before churn of {kind}", fresh, "MB"),
            Figure(f"the most a minute after churn of {kind}", max(later), "MB", f"< {ALLOWED * fresh:.0f}"),
        ]
    return figures
