"""Requests per second over TLS with wrk: 32 connections, on the machine of the server.

The objects are upstream's comparison's: a ConfigMap of 1.7 KB, a list of 500 pods. A pod that no
scheduler takes stays Pending, so the list is of pods that cost nothing else.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.cluster import BenchCluster
from bench.figures import Figure
from bench.objects import NAMESPACE, config_map, pod

CONNECTIONS = 32
SECONDS = 6
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


def measure_http(cluster: BenchCluster) -> list[Figure]:
    """GET of a ConfigMap and of a pod, LIST of 500 pods, CREATE and merge PATCH of ConfigMaps."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    _apply(cluster, [config_map("big", "x" * 1400), *(config_map(f"p{n}", "x") for n in range(32))])
    _apply(cluster, [pod(n) for n in range(PODS)])
    url, headers = cluster.status()["server"], {"Authorization": f"Bearer {cluster.token()}"}
    base = f"{url}/api/v1/namespaces/{NAMESPACE}"
    json_body = {**headers, "Content-Type": "application/json"}
    merge = {**headers, "Content-Type": "application/merge-patch+json"}
    create = CREATE_LUA % {"run": "c", "data": "x" * 64}
    patch = PATCH_LUA % {"path": f"/api/v1/namespaces/{NAMESPACE}/configmaps"}
    results = {
        "GET": _wrk(f"{base}/configmaps/big", headers),
        "GET pod": _wrk(f"{base}/pods/p0", headers),
        "LIST": _wrk(f"{base}/pods", headers),
        "CREATE": _wrk(f"{base}/configmaps", json_body, create),
        "PATCH": _wrk(f"{base}/configmaps", merge, patch),
    }
    return [Figure(f"{name} per second", value, "/s", GOALS[name]) for name, value in results.items()]


def _wrk(url: str, headers: Mapping[str, str], script: str = "") -> float:
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        if script:
            file.write(script)
            file.flush()
            command += ["-s", file.name]
        output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if refused is not None:
        raise RuntimeError(f"{url}: {refused.group(1)} answers were errors, the figure means nothing")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if found is None:
        raise RuntimeError(f"wrk printed no figure:\n{output}")
    return float(found.group(1))


def _apply(cluster: BenchCluster, objects: list[dict[str, object]]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, file)
        file.flush()
        cluster.kubectl("create", "-f", str(Path(file.name)))
