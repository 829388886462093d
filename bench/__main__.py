"""Run the benchmarks and print a table, or JSON with `--json`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from bench.cluster import NAME, BenchCluster
from bench.figures import Figure, as_json, as_table
from bench.http import measure_http
from bench.idle import measure_idle
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
}


def main() -> None:
    """Make a cluster, measure what was asked for, delete it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure only this")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root, as a cluster does")
    cluster = BenchCluster.make()
    figures: list[Figure] = []
    try:
        wanted = arguments.only or list(MEASUREMENTS)
        if "start" not in wanted:
            cluster.up_s()
        for name in wanted:
            sys.stderr.write(f"* {name}\n")
            figures += MEASUREMENTS[name](cluster)
    finally:
        cluster.delete()
    sys.stdout.write((as_json(figures) if arguments.json else as_table(figures)) + "\n")


if __name__ == "__main__":
    main()
