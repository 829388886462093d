"""What a cluster costs when nothing happens: memory and CPU of every process."""

from __future__ import annotations

import time

from bench.cluster import BenchCluster, cpu_seconds
from bench.figures import Figure

SETTLE_S = 10.0
WINDOW_S = 20.0
MEMORY_GOALS = {"server": "< 90 MB", "agent": "< 70 MB"}


def measure_idle(cluster: BenchCluster) -> list[Figure]:
    """Resident megabytes per process, and their CPU together in percent of one core."""
    time.sleep(SETTLE_S)  # idle is what is to be measured: let pass what a start leaves to be done
    components = [item for item in cluster.status()["components"] if item["pid"]]
    own = [item["pid"] for item in components]
    before, started = cpu_seconds(own), time.monotonic()
    time.sleep(WINDOW_S)
    busy = (cpu_seconds(own) - before) / (time.monotonic() - started) * 100
    figures = [
        Figure(
            f"resident memory, {item['name']}",
            item["residentBytes"] / 1e6,
            "MB",
            MEMORY_GOALS.get(item["name"], ""),
        )
        for item in components
    ]
    return [*figures, Figure("idle CPU, all processes", busy, "% of a core", "< 1 %")]
