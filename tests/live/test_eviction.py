"""Pods that write more to the node's disk than they may are evicted, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, LiveCluster, until

FILL = "dd if=/dev/zero of={path} bs=1M count=30; trap exit TERM; while true; do sleep 1; done"
LIMIT = {"limits": {"ephemeral-storage": "5Mi"}}
TOO_MUCH = "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. "


def create(cluster: LiveCluster, namespace: str, path: str, **container: Any) -> None:
    volume = {"name": "v", "emptyDir": {"sizeLimit": "5Mi"} if path.startswith("/v/") else {}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "fills", "namespace": namespace},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "volumes": [volume],
            "containers": [
                {
                    "name": "c",
                    "image": BUSYBOX,
                    "command": ["sh", "-c", FILL.format(path=path)],
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                    **container,
                }
            ],
        },
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


@pytest.mark.parametrize(
    ("path", "container", "message"),
    [
        ("/v/file", {}, 'Usage of EmptyDir volume "v" exceeds the limit "5Mi". '),
        ("/file", {"resources": LIMIT}, TOO_MUCH),
        ("/etc/hosts", {"resources": LIMIT}, TOO_MUCH),
    ],
)
def test_who_fills_the_disk_goes(
    cluster: LiveCluster, namespace: str, path: str, container: Any, message: str
) -> None:
    cluster.kubectl("run", "other", "-n", namespace, f"--image={BUSYBOX}", "--", "sleep", "1000")
    create(cluster, namespace, path, **container)
    status = until(lambda: failed(cluster.get("pod", "fills", "-n", namespace)["status"]))
    assert (status["reason"], status["message"]) == ("Evicted", message)
    assert cluster.get("pod", "other", "-n", namespace)["status"]["phase"] == "Running"


def failed(status: Any) -> Any:
    """The status, once the pod has failed."""
    return status if status.get("phase") == "Failed" else None
