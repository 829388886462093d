"""One real node among a hundred simulated ones: each pod is where it belongs, and the real ones do run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, SLOT, LiveCluster, slot_flags, until
from tests.live.machine import footprint
from wherry.hollow.addresses import NODE_BLOCKS
from wherry.kit.processes import ProcessRecord

NODES = 100
PODS = 500
NAME = f"mixed{SLOT}"


def deployment(name: str, replicas: int, where: str) -> str:
    """A Deployment whose pods go to the real node (`In`) or to all others (`NotIn`)."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": where, "values": [NAME]}]}
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    container = {"name": "c", "image": BUSYBOX, "command": ["sh", "-c", "hostname -i; sleep 100000"]}
    pod = {"containers": [container], "affinity": {"nodeAffinity": affinity}}
    labels = {"app": name}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        }
    )


@pytest.fixture
def mixed(cluster: LiveCluster, images: dict[str, Path]) -> Iterator[LiveCluster]:
    """A cluster of its own beside the other; at the end nothing of it is left."""
    found = LiveCluster(
        directory=cluster.directory,
        name=NAME,
        flags=(*slot_flags(SLOT + 10)[:-1], f"--nodes={NODES}"),
        variables={"KUBECONFIG": str(cluster.directory / "mixed-kubeconfig")},
    )
    try:
        found.up()
        found.wherry("image", "load", str(images[BUSYBOX]))
        yield found
    finally:
        found.wherry("delete")
    assert footprint(found.marks).found() == {}


def ready_nodes(cluster: LiveCluster) -> list[Any]:
    return [
        node
        for node in cluster.get("nodes")["items"]
        if any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    ]


def test_real_and_simulated_nodes_are_one_cluster(mixed: LiveCluster) -> None:
    began = time.monotonic()
    until(lambda: len(ready_nodes(mixed)) == NODES + 1)
    all_ready_s = time.monotonic() - began
    ranges = {node["metadata"]["name"]: IPv4Network(node["spec"]["podCIDR"]) for node in ready_nodes(mixed)}
    own = IPv4Network(next(f.partition("=")[2] for f in mixed.flags if f.startswith("--pod-cidr=")))
    assert ranges[NAME] == own
    simulated = [network for name, network in ranges.items() if name != NAME]
    assert all(network.subnet_of(IPv4Network(NODE_BLOCKS)) for network in simulated)
    assert len(set(simulated)) == NODES

    began = time.monotonic()
    mixed.kubectl("apply", "-f", "-", stdin=deployment("many", PODS, "NotIn"))
    mixed.kubectl("apply", "-f", "-", stdin=deployment("real", 2, "In"))
    mixed.kubectl("rollout", "status", "deployment/real", "--timeout=60s")
    real_s = time.monotonic() - began
    mixed.kubectl("rollout", "status", "deployment/many", "--timeout=60s")
    many_s = time.monotonic() - began
    pods = mixed.get("pods")["items"]
    assert len(pods) == PODS + 2
    for pod in pods:
        node, ip = pod["spec"]["nodeName"], IPv4Address(pod["status"]["podIP"])
        assert (node == NAME) == (pod["metadata"]["labels"]["app"] == "real")
        assert ip in ranges[node]
    inside = {
        mixed.kubectl("logs", pod["metadata"]["name"]).strip() == pod["status"]["podIP"]
        for pod in pods
        if pod["spec"]["nodeName"] == NAME
    }
    assert inside == {True}, "what a real pod says of itself is what the API says of it"
    refused = mixed.try_kubectl(
        "logs", next(p for p in pods if p["spec"]["nodeName"] != NAME)["metadata"]["name"]
    )
    assert refused.code != 0

    figures = {
        "all nodes Ready, after `up`, s": round(all_ready_s, 1),
        "2 real pods Ready, s": round(real_s, 1),
        f"{PODS} simulated pods Ready, s": round(many_s, 1),
        **{f"{name} MB": resident_mb(mixed, name) for name in ("server", "agent", "containerd")},
    }
    print(figures)
    mixed.wherry("up", *mixed.flags[:-1], "--nodes=0")
    until(lambda: len(mixed.get("nodes")["items"]) == 1)


def resident_mb(cluster: LiveCluster, component: str) -> int:
    record = ProcessRecord.of(cluster.pid(component))
    assert record is not None
    return record.resident_bytes() >> 20
