"""Run the benchmarks and print a table, or JSON with `--json`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from bench.churn import measure_churn
from bench.cluster import NAME, BenchCluster
from bench.fanout import measure_fanout
from bench.figures import Figure, as_json, as_table
from bench.held import measure_held
from bench.http import measure_http
from bench.idle import measure_idle
from bench.jobs import measure_jobs
from bench.lists import measure_lists
from bench.ready import measure_ready
from bench.rollouts import measure_rollouts
from bench.scheduling import measure_scheduling
from bench.simulated import measure_simulated
from bench.stored import measure_stored
from bench.streams import measure_streams
from bench.testing import measure_testing
from bench.watch import measure_watch
from bench.workload import measure_deployment

STARTS = 3


def measure_start(cluster: BenchCluster) -> list[Figure]:
    """The first start, with keys and images to be made, and the best of three prepared ones."""
    first = cluster.up_s()
    prepared = []
    for _ in range(STARTS):
        cluster.run("down", "--name", NAME)
        prepared.append(cluster.up_s())
    return [
        Figure("first `wherry up` to Ready", first, "s"),
        Figure("`wherry up` to Ready, prepared", min(prepared), "s", "< 2 s"),
    ]


MEASUREMENTS: dict[str, Callable[[BenchCluster], list[Figure]]] = {
    "start": measure_start,
    "idle": measure_idle,
    "deployment": measure_deployment,
    "http": measure_http,
    "streams": measure_streams,
}
ALONE: dict[str, Callable[[], list[Figure]]] = {
    "ready": measure_ready,
    "watch": measure_watch,
    "fanout": measure_fanout,
    "stored": measure_stored,
    "lists": measure_lists,
    "churn": measure_churn,
    "testing": measure_testing,
    "scheduling": measure_scheduling,
    "rollouts": measure_rollouts,
    "held": measure_held,
    "simulated": measure_simulated,
    "jobs": measure_jobs,
}
"""These need no cluster: they start an API server of their own."""


def main() -> None:
    """Measure what was asked for; make a cluster for it, if one is needed, and delete it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [*MEASUREMENTS, *ALONE]
    parser.add_argument("--only", choices=names, action="append", help="measure only this")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    wanted = arguments.only or names
    figures = _with_cluster([name for name in wanted if name in MEASUREMENTS])
    for name in wanted:
        if name in ALONE:
            sys.stderr.write(f"* {name}\n")
            figures += ALONE[name]()
    sys.stdout.write((as_json(figures) if arguments.json else as_table(figures)) + "\n")


def _with_cluster(names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    if not names:
        return figures
    if os.geteuid() != 0:
        sys.exit("bench: needs root, as a cluster does")
    cluster = BenchCluster.make()
    try:
        if "start" not in names:
            cluster.up_s()
        for name in names:
            sys.stderr.write(f"* {name}\n")
            figures += MEASUREMENTS[name](cluster)
    finally:
        cluster.delete()
    return figures


if __name__ == "__main__":
    main()
