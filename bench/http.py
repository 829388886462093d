"""Requests per second over TLS with wrk: 32 connections, on the machine of the server.

Each load runs several times and the best is told: what else the machine does counts against the server.
The objects are upstream's comparison's: a ConfigMap of 1.7 KB, a list of 500 pods. A pod that no
scheduler takes stays Pending, so the list is of pods that cost nothing else.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cluster import BenchCluster, cpu_seconds
from bench.figures import Figure
from bench.objects import NAMESPACE, config_map, pod

CONNECTIONS = 32
SECONDS = 3
ROUNDS = 3
PODS = 500
GOALS = {"GET": "≥ 12,000", "GET pod": "≥ 10,000", "LIST": "≥ 200", "CREATE": "≥ 3,000", "PATCH": "≥ 3,000"}

CREATE_LUA = """
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
function init() n = 0; base = "%(run)s-" .. id .. "-" end
function request()
  n = n + 1
  local body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"' .. base .. n ..
    '"},"data":{"k":"%(data)s"}}'
  return wrk.format("POST", nil, nil, body)
end
"""
PATCH_LUA = """
n = 0
function request()
  n = n + 1
  return wrk.format("PATCH", "%(path)s/p" .. (n %% 32), nil, '{"data":{"n":"' .. n .. '"}}')
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of requests sent as fast as they are answered; latencies in milliseconds.

    `cpu_us` is the server's CPU time per request, in microseconds.
    """

    per_second: float
    median_ms: float
    p99_ms: float
    cpu_us: float = 0.0


def measure_http(cluster: BenchCluster) -> list[Figure]:
    """GET of a ConfigMap and of a pod, LIST of 500 pods, CREATE and merge PATCH of ConfigMaps."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    _apply(cluster, [config_map("big", "x" * 1400), *(config_map(f"p{n}", "x") for n in range(32))])
    _apply(cluster, [pod(n) for n in range(PODS)])
    url, headers = cluster.status()["server"], {"Authorization": f"Bearer {cluster.token()}"}
    base = f"{url}/api/v1/namespaces/{NAMESPACE}"
    json_body = {**headers, "Content-Type": "application/json"}
    merge = {**headers, "Content-Type": "application/merge-patch+json"}
    words = {"data": "x" * 64, "path": f"/api/v1/namespaces/{NAMESPACE}/configmaps"}
    pid = next(item["pid"] for item in cluster.status()["components"] if item["name"] == "server")
    targets = {
        "GET": (f"{base}/configmaps/big", headers, ""),
        "GET pod": (f"{base}/pods/p0", headers, ""),
        "LIST": (f"{base}/pods", headers, ""),
        "CREATE": (f"{base}/configmaps", json_body, CREATE_LUA),
        "PATCH": (f"{base}/configmaps", merge, PATCH_LUA),
    }
    results = {
        name: max(
            (_loaded(pid, url, sent, script % {"run": f"r{turn}", **words}) for turn in range(ROUNDS)),
            key=lambda load: load.per_second,
        )
        for name, (url, sent, script) in targets.items()
    }
    return [
        figure
        for name, load in results.items()
        for figure in (
            Figure(f"{name} per second", load.per_second, "/s", GOALS[name]),
            Figure(f"{name} latency, median", load.median_ms, "ms"),
            Figure(f"{name} latency, p99", load.p99_ms, "ms"),
            Figure(f"{name}, CPU time of the server's process", load.cpu_us, "µs"),
        )
    ]


def _loaded(pid: int, url: str, headers: Mapping[str, str], script: str) -> Load:
    before = cpu_seconds([pid])
    load = _wrk(url, headers, script)
    busy_s = cpu_seconds([pid]) - before
    return replace(load, cpu_us=busy_s * 1e6 / (load.per_second * SECONDS))


def _wrk(url: str, headers: Mapping[str, str], script: str = "") -> Load:
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command += ["-s", file.name]
        output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    try:
        return parse_wrk(output)
    except ValueError as error:
        raise RuntimeError(f"{url}: {error}") from error


def parse_wrk(output: str) -> Load:
    """What `wrk --latency` printed. Raises ValueError when answers were errors or figures are missing."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if refused is not None:
        raise ValueError(f"{refused.group(1)} answers were errors, the figures mean nothing")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    quantiles = dict(re.findall(r"^\s+(\d+)%\s+(\S+)$", output, re.MULTILINE))
    if rate is None or not {"50", "99"} <= quantiles.keys():
        raise ValueError(f"wrk printed no figures:\n{output}")
    return Load(float(rate.group(1)), _milliseconds(quantiles["50"]), _milliseconds(quantiles["99"]))


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration of wrk's")
    return float(found.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[found.group(2)]


def _apply(cluster: BenchCluster, objects: list[dict[str, object]]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, file)
        file.flush()
        cluster.kubectl("create", "-f", str(Path(file.name)))
