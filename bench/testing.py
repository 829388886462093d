"""Clusters inside a test: how soon they are there, how much they take, what simulated time costs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.cluster import ENVIRONMENT
from bench.figures import Figure
from bench.fixture_suite import TESTS, WORKERS, run_suite
from wherry.kit.memory import resident_bytes

FIRST = """
from time import perf_counter
began = perf_counter()
from wherry.testing import Cluster
Cluster().start()
print(perf_counter() - began)
"""
TRIES = 5
OBJECTS = 1000
CLUSTERS = 100
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
"""


def measure_testing() -> list[Figure]:
    """All rows; the best of several tries, as others use the machine too."""
    from wherry.testing import Cluster

    ms = 1000.0
    first = min(
        float(
            subprocess.run(
                [sys.executable, "-c", FIRST], env=ENVIRONMENT, capture_output=True, check=True
            ).stdout
        )
        for _ in range(TRIES)
    )
    starts, ends, available = [], [], []
    for _ in range(TRIES):
        began = perf_counter()
        c = Cluster(nodes=3).start()
        starts.append(perf_counter() - began)
        began = perf_counter()
        c.apply(WEB)
        c.wait("deployment/web", "Available")
        available.append(perf_counter() - began)
        began = perf_counter()
        c.close()
        ends.append(perf_counter() - began)
    return [
        Figure("first test cluster of a fresh interpreter, imports included", first * ms, "ms", "< 300"),
        Figure("the next test cluster, with 3 nodes", min(starts[1:]) * ms, "ms", "< 50"),
        Figure("a Deployment of 3 Available after `apply`", min(available) * ms, "ms", "< 40"),
        Figure("closing a test cluster", min(ends) * ms, "ms", "< 20"),
        Figure(f"fork of a test cluster of {OBJECTS} objects", _fork_s() * ms, "ms", "< 10"),
        Figure(f"{CLUSTERS} test clusters in one process", _memory_mb(), "MB", "< 400"),
        Figure("a simulated hour of 100 idle nodes", _hour_s(100), "s"),
        Figure("a simulated hour of 5,000 idle nodes", _hour_s(5000), "s", "< 10"),
        Figure(f"{TESTS} tests with the `wherry` fixture under -n {WORKERS}", _suite_s(), "s"),
    ]


def _fork_s() -> float:
    from wherry.testing import Cluster

    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{number}"}, "data": {"a": "b"}}
        for number in range(OBJECTS)
    ]
    found = []
    with Cluster(objects=[maps]) as c:
        snapshot = c.snapshot()
        for _ in range(TRIES):
            began = perf_counter()
            fork = snapshot.fork()
            found.append(perf_counter() - began)
            fork.close()
    return min(found)


def _memory_mb() -> float:
    """What a hundred clusters add to this process, and what it had before the first."""
    from wherry.testing import Cluster

    clusters = [Cluster().start() for _ in range(CLUSTERS)]
    found = resident_bytes() / 1e6
    for c in clusters:
        c.close()
    return found


def _suite_s() -> float:
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
        return run_suite(Path(directory)).seconds


def _hour_s(nodes: int) -> float:
    from wherry.testing import Cluster

    with Cluster(nodes=nodes) as c:
        began = perf_counter()
        c.clock.advance("1h")
        return perf_counter() - began
