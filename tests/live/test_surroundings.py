"""A cluster amid what machines do to it: networks that change, firewalls, other people's rules.

Each test's cluster lies in network and mount namespaces of its own, so that nothing it does to them
reaches the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, NGINX, POD_RANGE, SLOT, LiveCluster, slot_flags, until
from tests.live.machine import footprint
from tests.live.surroundings import Surroundings, surroundings

GATEWAY = f"{POD_RANGE}.1"


@pytest.fixture
def around() -> Iterator[Surroundings]:
    assert os.geteuid() == 0, "live tests need root"
    directory = Path("/tmp") / f"wherry-around-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    with surroundings(directory) as made:
        yield made
    directory.rmdir()


@contextmanager
def cluster_in(around: Surroundings, images: dict[str, Path], *flags: str) -> Iterator[LiveCluster]:
    """A running cluster in there with both images; at the end nothing of it is left."""
    directory = Path("/tmp") / f"wherry-live-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    made = LiveCluster(
        directory=directory, name=f"around{SLOT}", flags=(*slot_flags(SLOT), *flags), inside=around.inside
    )
    try:
        made.up()
        for archive in images.values():
            made.wherry("image", "load", str(archive))
        yield made
        made.wherry("delete")
        assert footprint(made.marks, around.inside).found() == {}
        shutil.rmtree(directory)
    except BaseException:
        made.try_wherry("down")  # the data stays for a look at the logs
        raise


def run_pod(cluster: LiveCluster, name: str, image: str, command: str = "", **spec: Any) -> None:
    """Make a pod and wait until it is ready."""
    container: dict[str, Any] = {"name": "c", "image": image, **spec.pop("container", {})}
    if command:
        container["command"] = ["sh", "-c", command]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], **spec},
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    cluster.kubectl("wait", "pod", name, "--for=condition=Ready", "--timeout=60s")


def internal_ip(cluster: LiveCluster) -> str:
    addresses = cluster.get("node", "live")["status"]["addresses"]
    found: str = next(a["address"] for a in addresses if a["type"] == "InternalIP")
    return found


def goes_by(cluster: LiveCluster, address: str) -> bool:
    """Whether the node and its pod `own` have the address."""
    own: str = cluster.get("pod", "own")["status"]["podIP"]
    return internal_ip(cluster) == own == address


def test_a_laptop_changes_networks(around: Surroundings, images: dict[str, Path]) -> None:
    """No network at start, then one, then another: logs and exec work, and no container is restarted."""
    with cluster_in(around, images, "--api-host=0.0.0.0") as cluster:
        assert internal_ip(cluster) == GATEWAY
        run_pod(cluster, "own", BUSYBOX, "echo here; sleep infinity", hostNetwork=True)
        before = cluster.get("pod", "own")["status"]
        assert before["podIP"] == GATEWAY
        for address in ("192.0.2.10", "198.51.100.20"):
            around.connect(address)
            until(partial(goes_by, cluster, address), 20)
            assert cluster.kubectl("logs", "own") == "here\n"
            assert cluster.kubectl("exec", "own", "--", "echo", "inside") == "inside\n"
            # From another machine: the certificate covers the new address.
            served = around.run(
                *("curl", "--silent", "--max-time", "10", f"https://{address}:{16443 + SLOT}/version"),
                *("--cacert", str(cluster.directory / "data" / cluster.name / "pki" / "ca.crt")),
            )
            assert '"v1.37' in served
        after = cluster.get("pod", "own")["status"]
        assert after["containerStatuses"] == before["containerStatuses"]
        assert after["hostIPs"] == after["podIPs"] == [{"ip": "198.51.100.20"}]


def test_a_cluster_of_this_machine_alone_does_not_notice(
    around: Surroundings, images: dict[str, Path]
) -> None:
    around.connect("192.0.2.10")
    with cluster_in(around, images) as cluster:
        assert internal_ip(cluster) == GATEWAY
        run_pod(cluster, "web", NGINX)
        around.disconnect()
        assert cluster.kubectl("exec", "web", "--", "echo", "inside") == "inside\n"
        around.connect("198.51.100.20")
        assert cluster.kubectl("exec", "web", "--", "echo", "inside") == "inside\n"
        assert internal_ip(cluster) == GATEWAY
