"""A device plug-in beside a real agent, and containers of the runtime that see what it gives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.cluster import BUSYBOX, LiveCluster, kill_and_wait, until

PLUGIN = Path(__file__).parents[2] / "docs" / "examples" / "device_plugin.py"
ZERO = "example.com/zero"
LOOK = (
    "echo $DEVICES; for d in /dev/zero-*; do test -c $d && head -c 3 $d | wc -c; done; ls -d /devices/system"
)


def pod(name: str, namespace: str) -> str:
    container = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", f"{LOOK}; trap exit TERM; while true; do sleep 1; done"],
        "resources": {"limits": {ZERO: "1"}},
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    meta = {"name": name, "namespace": namespace}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


def test_a_container_sees_the_devices_a_plugin_gives(cluster: LiveCluster, namespace: str) -> None:
    root = cluster.node_paths.kubelet
    plugin = subprocess.Popen([sys.executable, str(PLUGIN), str(root), ZERO])

    def allocatable() -> Any:
        (node,) = cluster.get("nodes")["items"]
        return node["status"]["allocatable"].get(ZERO)

    def begin(name: str) -> str:
        cluster.kubectl("create", "-f", "-", stdin=pod(name, namespace))
        cluster.kubectl("wait", f"pod/{name}", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
        shown: str = until(lambda: cluster.kubectl("logs", name, "-n", namespace))
        return shown

    try:
        until(lambda: allocatable() == "2")
        first = begin("first").split()
        assert first[0] in ("zero-0", "zero-1")
        assert first[1:] == ["3", "/devices/system"]
        kill_and_wait(cluster, "agent", lambda: allocatable() == "2")
        assert {first[0], begin("second").split()[0]} == {"zero-0", "zero-1"}
        told = cluster.get("pod", "second", "-n", namespace)["status"]["containerStatuses"][0]
        assert told["allocatedResourcesStatus"][0]["resources"][0]["health"] == "Healthy"
    finally:
        plugin.send_signal(signal.SIGKILL)
        plugin.wait()
        cluster.kubectl("delete", "pods", "--all", "-n", namespace, "--wait=true", "--timeout=60s")
    until(lambda: allocatable() == "0")
