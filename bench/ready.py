"""Seconds from the start of an API server process until `/readyz` answers 200 over TLS."""

from __future__ import annotations

import json
import statistics

from bench.alone import Alone, Api
from bench.figures import Figure
from bench.fill import fill
from bench.objects import NAMESPACE, config_map, pod

STARTS = 5
OBJECTS = 10_000


def measure_ready() -> list[Figure]:
    """Best and median of five starts, on a store of a bare cluster and on one with 10,000 objects."""
    base = f"/api/v1/namespaces/{NAMESPACE}"
    with Alone() as server:
        server.start()  # makes what a first start makes
        server.make_namespace()
        api = Api(server.access)
        samples = {
            "pods": json.loads(api.send("POST", f"{base}/pods", pod(0))),
            "configmaps": json.loads(api.send("POST", f"{base}/configmaps", config_map("m", "x" * 1400))),
        }
        api.close()
        server.stop()
        figures = _starts(server, "API server alone, start to readyz")
        for plural, sample in samples.items():
            fill(server.paths.store, f"/registry/{plural}/{NAMESPACE}/", [sample], OBJECTS // len(samples))
        return [*figures, *_starts(server, f"the same on {OBJECTS:,} objects")]


def _starts(server: Alone, name: str) -> list[Figure]:
    took = []
    for _ in range(STARTS):
        took.append(server.start())
        server.stop()
    return [
        Figure(f"{name}, best", min(took), "s", "≤ 0.7"),
        Figure(f"{name}, median", statistics.median(took), "s", "≤ 0.7"),
    ]
