"""A machine loses its power and boots again: `wherry start`, which the boot unit runs, brings all back.

What a boot leaves is what lies on the disk. Processes, mounts, interfaces, rules and /run are those of
surroundings that end; the next ones begin with nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, SLOT, LiveCluster, slot_flags, until
from tests.live.machine import footprint
from tests.live.surroundings import Surroundings, surroundings

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "c",
                        "image": BUSYBOX,
                        "command": ["sh", "-c", "date >> /kept/starts; exec sleep infinity"],
                        "volumeMounts": [{"name": "kept", "mountPath": "/kept"}],
                    }
                ],
                "volumes": [{"name": "kept", "emptyDir": {}}],
            },
        },
    },
}


@pytest.fixture
def directory() -> Iterator[Path]:
    assert os.geteuid() == 0, "live tests need root"
    made = Path("/tmp") / f"wherry-boot-{uuid.uuid4().hex[:8]}"
    (made / "moment").mkdir(parents=True, mode=0o700)
    yield made
    shutil.rmtree(made)


def cluster_in(directory: Path, around: Surroundings) -> LiveCluster:
    # With ranges of its own: its leavings are looked for while the cluster of the session runs.
    return LiveCluster(
        directory=directory, name=f"boot{SLOT}", flags=slot_flags(SLOT + 11), inside=around.inside
    )


def ready_pods(cluster: LiveCluster) -> list[dict[str, Any]]:
    """The pods of the deployment, once both are ready."""
    pods: list[dict[str, Any]] = cluster.get("pods", "-l", "app=web")["items"]
    ready = [
        pod
        for pod in pods
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))
        and "deletionTimestamp" not in pod["metadata"]
    ]
    return ready if len(ready) == len(pods) == 2 else []


def test_pods_are_back_after_the_power_failed(images: dict[str, Path], directory: Path) -> None:
    with surroundings(directory / "moment", own_processes=True) as before:
        cluster = cluster_in(directory, before)
        cluster.up()
        cluster.wherry("image", "load", str(images[BUSYBOX]))
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(DEPLOYMENT))
        first = until(lambda: ready_pods(cluster), 60)
    assert footprint(cluster.marks).found().keys() <= {"cgroups"}, "the power is off"
    shutil.rmtree(directory / "run")

    with surroundings(directory / "moment", own_processes=True) as after:
        cluster = cluster_in(directory, after)
        cluster.wherry("start")
        uids = {pod["metadata"]["uid"] for pod in first}

        def restarted() -> bool:
            found = ready_pods(cluster)
            assert all(pod["metadata"]["uid"] in uids for pod in found), "the same pods, as upstream has it"
            return len(found) == 2 and all(
                pod["status"]["containerStatuses"][0]["restartCount"] == 1 for pod in found
            )

        until(restarted, 60)
        pods = ready_pods(cluster)
        for pod in pods:
            name = pod["metadata"]["name"]
            starts = cluster.kubectl("exec", name, "--", "cat", "/kept/starts").splitlines()
            assert len(starts) == 2, "an emptyDir on the disk is kept"
        (addresses,) = (cluster.node_paths.cni / "addresses").glob(f"wherry-{cluster.name}.*")
        until(
            lambda: {p.name for p in addresses.glob("10.*")} == {pod["status"]["podIP"] for pod in pods}, 30
        )
        cluster.wherry("delete")
        assert footprint(cluster.marks, after.inside).found() == {}
