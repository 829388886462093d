"""A pod that has a processor alone: on real containers, with the others moved off it and back."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.cluster import BUSYBOX, SLOT, LiveCluster, slot_flags, until

SETTINGS = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cpuManagerPolicy: static
reservedSystemCPUs: "0"
"""


@pytest.fixture
def static(images: dict[str, Path], tmp_path: Path) -> Iterator[LiveCluster]:
    """A cluster of its own whose node gives processors out."""
    file = tmp_path / "kubelet.yaml"
    file.write_text(SETTINGS)
    flags = (*slot_flags(SLOT + 10)[:-1], f"--kubelet-config={file}")
    # Short: socket paths below it must fit into 107 bytes.
    directory = Path("/tmp") / f"wherry-live-{uuid.uuid4().hex[:8]}"
    directory.mkdir(mode=0o700)
    made = LiveCluster(
        directory=directory,
        name=f"cpus{SLOT}",
        flags=flags,
        variables={"KUBECONFIG": str(tmp_path / "kubeconfig")},
    )
    try:
        made.up()
        made.wherry("image", "load", str(images[BUSYBOX]))
        yield made
    finally:
        made.try_wherry("delete")
        shutil.rmtree(directory)


def test_a_guaranteed_pod_has_a_processor_alone(static: LiveCluster) -> None:
    create(static, "shares", {})
    until(lambda: cpus(static, "shares") == "0-1")
    create(static, "own", {"limits": {"cpu": "1", "memory": "32Mi"}})
    until(lambda: cpus(static, "own") == "1")
    until(lambda: cpus(static, "shares") == "0")
    static.kubectl("delete", "pod", "own", "--grace-period=1")
    until(lambda: cpus(static, "shares") == "0-1")


def create(cluster: LiveCluster, name: str, resources: dict[str, dict[str, str]]) -> None:
    container = {"name": "c", "image": BUSYBOX, "command": ["sleep", "1000"], "resources": resources}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


def cpus(cluster: LiveCluster, name: str) -> str:
    """The processors the kernel lets the container run on, "" while there is none."""
    told = cluster.try_kubectl("exec", name, "--", "grep", "Cpus_allowed_list", "/proc/1/status")
    return told.out.partition(":")[2].strip()
