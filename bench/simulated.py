"""Clusters of simulated nodes, made by `wherry up --runtime simulated`: their start, and what idle costs."""

from __future__ import annotations

import time
from pathlib import Path

from bench.cluster import BenchCluster, cpu_seconds
from bench.figures import Figure

SETTLE_S = 15.0
WINDOW_S = 60.0
SIZES = {1000: "≤ 3 s", 5000: "≤ 10 s"}


def measure_simulated() -> list[Figure]:
    """Seconds to a first `up`, idle CPU, resident memory and growth of the store, by number of nodes."""
    figures = []
    for count, goal in SIZES.items():
        cluster = BenchCluster.make()
        try:
            figures += _measure(cluster, count, goal)
        finally:
            cluster.delete()
    return figures


def _measure(cluster: BenchCluster, count: int, goal: str) -> list[Figure]:
    up_s = cluster.up_s("--runtime", "simulated", "--nodes", str(count))
    time.sleep(SETTLE_S)  # idle is what is to be measured
    status = cluster.status()
    pids = [item["pid"] for item in status["components"]]
    store = Path(status["dataDir"]) / "store" / "store.db"
    before, bytes_before, started = cpu_seconds(pids), store.stat().st_size, time.monotonic()
    time.sleep(WINDOW_S)
    elapsed_s = time.monotonic() - started
    busy = (cpu_seconds(pids) - before) / elapsed_s * 100
    grown = (store.stat().st_size - bytes_before) / elapsed_s
    resident = sum(item["residentBytes"] for item in cluster.status()["components"])
    name = f"{count:,} simulated nodes"
    return [
        Figure(f"{name}, `wherry up` to ready", up_s, "s", goal),
        Figure(f"{name}, idle CPU", busy, "% of a core", "< 10 %"),
        Figure(f"{name}, resident memory", resident / 1e6, "MB"),
        Figure(f"{name}, growth of the store", grown / 1e3, "kB/s"),
    ]
