"""A second cluster beside the first: other ports, ranges, bridge and rules; neither feels the other."""

from __future__ import annotations

from pathlib import Path

from tests.live.cluster import SLOT, LiveCluster, slot_flags
from tests.live.machine import footprint


def test_a_second_cluster_comes_and_goes(cluster: LiveCluster) -> None:
    second = LiveCluster(
        directory=cluster.directory,
        name=f"second{SLOT}",
        flags=slot_flags(SLOT + 10)[:-1],
        # Of its own: the context of the cluster that came last is the current one.
        variables={"KUBECONFIG": str(cluster.directory / "second-kubeconfig")},
    )
    before_ready = cluster.status()
    second.up()
    assert second.status()["ready"]
    assert second.kubectl("get", "nodes", "-o", "name").strip() == f"node/second{SLOT}"
    assert cluster.wherry("kubectl", "get", "nodes", "-o", "name").strip() == "node/live"
    second.wherry("delete")
    assert footprint(second.marks).found() == {}
    assert not Path(cluster.directory / "data" / second.name).exists()
    assert [c["pid"] for c in cluster.status()["components"]] == [
        c["pid"] for c in before_ready["components"]
    ]
