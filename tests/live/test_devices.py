"""A device plug-in and a DRA driver beside a real agent: containers see what they give."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kubelet.devices.dra.fake_driver import FakeDriver
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


DRIVER = "gpu.example.com"
DEVICE_CLASS = {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]}


@contextmanager
def running(driver: FakeDriver) -> Iterator[None]:
    """The driver on an event loop of its own while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(driver.start(), loop).result(30)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(driver.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_claim_is_allocated_prepared_and_given_back(cluster: LiveCluster, namespace: str) -> None:
    (node,) = cluster.get("nodes")["items"]
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    slices = {
        "driver": DRIVER,
        "nodeName": node["metadata"]["name"],
        "pool": pool,
        "devices": [{"name": "gpu-0"}],
    }
    request = {"name": "gpu", "exactly": {"deviceClassName": "gpu-live"}}
    container = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", "trap exit TERM; while true; do sleep 1; done"],
        "resources": {"claims": [{"name": "gpu"}]},
    }
    spec = {
        "terminationGracePeriodSeconds": 1,
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpu"}],
        "containers": [container],
    }
    here = {"namespace": namespace}
    api = "resource.k8s.io/v1"
    objects = [
        {"apiVersion": api, "kind": "DeviceClass", "metadata": {"name": "gpu-live"}, "spec": DEVICE_CLASS},
        {"apiVersion": api, "kind": "ResourceSlice", "metadata": {"name": "gpu-live"}, "spec": slices},
        {
            "apiVersion": api,
            "kind": "ResourceClaimTemplate",
            "metadata": {"name": "gpu", **here},
            "spec": {"spec": {"devices": {"requests": [request]}}},
        },
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **here}, "spec": spec},
    ]
    driver = FakeDriver(cluster.node_paths.kubelet, DRIVER)
    try:
        with running(driver):
            until(lambda: driver.registrant.told)
            for one in objects:
                cluster.kubectl("create", "-f", "-", stdin=json.dumps(one))
            cluster.kubectl("wait", "pod/p", "-n", namespace, "--for=condition=Ready", "--timeout=60s")
            (claim,) = cluster.get("resourceclaims", "-n", namespace)["items"]
            assert driver.prepared == [[claim["metadata"]["uid"]]]
            cluster.kubectl("delete", "pod", "p", "-n", namespace, "--wait=true", "--timeout=60s")
            until(lambda: driver.unprepared)
            assert driver.unprepared == driver.prepared
    finally:
        for kind in ("deviceclass", "resourceslice"):
            cluster.kubectl("delete", kind, "gpu-live", "--ignore-not-found")
