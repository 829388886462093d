"""What 100,000 stored pods cost: memory, the start, a LIST of them all, the delay of a PATCH.

The pods are of 2.1 to 5.6 KB, as the server stored them, and written straight into the store of the
stopped server (`bench.fill`).
"""

from __future__ import annotations

import json
import time

from bench.alone import Alone, Api
from bench.figures import Figure, percentile
from bench.fill import fill
from bench.objects import NAMESPACE, pod

PODS = 100_000
PAGE = 500
PATCHES = 2_000
VARIABLES = (0, 4, 8, 12, 16, 20, 24)
COLLECTION = f"/api/v1/namespaces/{NAMESPACE}/pods"


def measure_stored() -> list[Figure]:
    """Resident memory of an API server over 100,000 pods, and how it does with them."""
    with Alone() as server:
        server.start()
        server.make_namespace()
        empty_mb = server.resident_mb()
        few = samples(server)
        server.stop()
        fill(server.paths.store, f"/registry/pods/{NAMESPACE}/", few, PODS)
        start_s = server.start()
        started_mb = server.resident_mb()
        api = Api(server.access)
        list_s, listed, size = _list_all(api)
        patches = _patch(api, listed[:PATCHES])
        gets = _get(api, listed[:PATCHES])
        selecting = [_select(api) for _ in range(3)]
        whole_s = _list_whole(api)
        api.close()
        return [
            Figure("resident memory, API server alone on an empty store", empty_mb, "MB"),
            Figure("mean size of a pod as it is served", size, "bytes"),
            Figure(f"resident memory with {PODS:,} pods, after the start", started_mb, "MB", "< 600"),
            Figure(
                f"most memory resident with {PODS:,} pods, through all of the below",
                server.peak_mb(),
                "MB",
                "< 600",
            ),
            Figure(f"start to readyz with {PODS:,} pods", start_s, "s"),
            Figure(f"LIST of {PODS:,} pods in chunks of {PAGE}", list_s, "s"),
            Figure(f"LIST of {PODS:,} pods at once", whole_s, "s"),
            Figure(f"PATCH of one of {PODS:,} pods, median", percentile(patches, 50), "ms"),
            Figure(f"PATCH of one of {PODS:,} pods, p99", percentile(patches, 99), "ms"),
            Figure(f"GET of one of {PODS:,} pods, median", percentile(gets, 50), "ms"),
            Figure(f"GET of one of {PODS:,} pods, p99", percentile(gets, 99), "ms"),
            Figure(f"first LIST of {PODS:,} pods by labels", selecting[0], "s"),
            Figure(f"later LIST of {PODS:,} pods by labels", min(selecting[1:]), "s"),
        ]


def samples(server: Alone) -> list[dict[str, object]]:
    """Pods as the server stored them, from few variables to many."""
    api = Api(server.access)
    for number, variables in enumerate(VARIABLES):
        api.send("POST", COLLECTION, pod(number, variables))
    found = [json.loads(api.send("GET", f"{COLLECTION}/p{number}")) for number in range(len(VARIABLES))]
    for number in range(len(VARIABLES)):
        api.send("DELETE", f"{COLLECTION}/p{number}?gracePeriodSeconds=0")
    api.close()
    return found


def _list_all(api: Api) -> tuple[float, list[str], int]:
    """Seconds, every name in order, and the mean bytes of a pod."""
    names: list[str] = []
    took_s, size, token = 0.0, 0, ""
    while True:
        started = time.monotonic()
        content = api.send("GET", f"{COLLECTION}?limit={PAGE}&continue={token}")
        took_s += time.monotonic() - started  # decoding is this side's business
        size += len(content)
        page = json.loads(content)
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    if len(names) != PODS:
        raise RuntimeError(f"{len(names)} pods were listed, {PODS} are stored")
    # Neighbours would be near each other in memory and file; take them from everywhere.
    return took_s, names[:: max(PODS // PATCHES, 1)], size // len(names)


def _list_whole(api: Api) -> float:
    """Seconds of one LIST of everything."""
    started = time.monotonic()
    api.send("GET", COLLECTION)
    return time.monotonic() - started


def _select(api: Api) -> float:
    """Seconds of a LIST by labels that no pod has."""
    started = time.monotonic()
    api.send("GET", f"{COLLECTION}?labelSelector=app%3Dnone")
    return time.monotonic() - started


def _patch(api: Api, names: list[str]) -> list[float]:
    """Milliseconds of each patch, one after the other."""
    took = []
    for number, name in enumerate(names):
        body = {"metadata": {"annotations": {"example.com/n": str(number)}}}
        started = time.monotonic()
        api.send("PATCH", f"{COLLECTION}/{name}", body, "application/merge-patch+json")
        took.append((time.monotonic() - started) * 1000)
    return took


def _get(api: Api, names: list[str]) -> list[float]:
    """Milliseconds of each GET, one after the other."""
    took = []
    for name in names:
        started = time.monotonic()
        api.send("GET", f"{COLLECTION}/{name}")
        took.append((time.monotonic() - started) * 1000)
    return took
