"""What two nodes of one machine call their things is never the same, and fits where it must."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from wherry.cluster.names import IFNAMSIZ, LAST_METRIC, OldNames
from wherry.cluster.node import Node, old_node, plan_of
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import RUN_ROOT, ClusterPaths
from wherry.cluster.values import LONGEST_NODE_NAME
from wherry.network.rules import chains
from wherry.proxy.backends.base import NodeNetwork

LONGEST_CLUSTER_NAME = 32
SOCKET_PATH_BYTES = 107
CHAIN_CHARACTERS = 28


def node(cluster: str, name: str) -> Node:
    return Node.of(cluster, name, ClusterPaths.of(cluster))


def things(one: Node) -> set[str]:
    """Everything on the machine that carries a name of the node."""
    network = one.ground.network(plan_of(NodeConfig(), "10.244.0.0/24"))
    tag = NodeNetwork(owner=one.names.owner, cluster_cidr="", service_cidr="").tag
    files = (
        *(one.paths.data, one.paths.run, one.paths.network, one.paths.containerd_log),
        *(
            one.containerd.socket,
            one.containerd.runc,
            one.containerd.root,
            network.conflist,
            network.addresses,
        ),
    )
    return {
        *(one.names.bridge, one.names.network, one.names.cgroup_root, tag),
        *(f"metric {metric}" for metric in (one.names.metric, one.names.last_metric)),
        *(chain.name + chain.table for chain in chains(network)),
        *map(str, files),
    }


def test_nodes_share_nothing() -> None:
    nodes = [
        *(node("dev", "one"), node("dev", "two"), node("dev-1", "one"), node("test", "one")),
        *(node("dev", "a-node-with-a-very-long-name-1"), node("dev", "a-node-with-a-very-long-name-2")),
        old_node("dev", ClusterPaths.of("dev")),
    ]
    for first, second in combinations(nodes, 2):
        assert things(first).isdisjoint(things(second)), (first.names, second.names)


def test_no_networks_name_is_read_as_anothers() -> None:
    # libcni's files are found by a pattern: `<network>-<sandbox>-<interface>`.
    for one, other in (("n", "n-1"), ("n", "n.1"), ("n", "n1")):
        file = f"{node('dev', other).names.network}-{'f' * 64}-eth0"
        pattern = re.compile(re.escape(node("dev", one).names.network) + "-[0-9a-zA-Z]+-[^-]+")
        assert not pattern.fullmatch(file)


@pytest.mark.parametrize("cluster", ["a", "default", "a-b-c-d-e-f", "x" * LONGEST_CLUSTER_NAME])
@pytest.mark.parametrize("name", ["n", "node-1.example.org", "y" * LONGEST_NODE_NAME])
def test_names_fit_the_kernel(cluster: str, name: str) -> None:
    made = node(cluster, name)
    assert len(made.names.bridge) <= IFNAMSIZ
    assert len(f"{made.containerd.socket}.ttrpc") <= SOCKET_PATH_BYTES
    assert made.paths.run.is_relative_to(RUN_ROOT / cluster)
    assert 0 < made.names.metric < made.names.last_metric <= LAST_METRIC
    network = made.ground.network(plan_of(NodeConfig(), "10.244.0.0/24"))
    assert all(len(chain.name) <= CHAIN_CHARACTERS for chain in chains(network))
    assert len(f"{made.names.network}-{'f' * 64}-eth0") <= 255, "libcni's file about a sandbox"


def test_what_an_earlier_version_made_is_found() -> None:
    # As that version named them; what it made is taken away by these.
    names = OldNames("default", "")
    assert (names.bridge, names.network, names.cgroup_root) == (
        "wh-default",
        "wherry-default",
        "/kubepods-default",
    )
    assert OldNames("a-cluster-with-a-long-name", "").bridge == "wh-a-clus-b8bc2"
    old = old_node("default", ClusterPaths.of("default", Path("/d"), Path("/r")))
    network = old.ground.network(plan_of(NodeConfig(), "10.244.0.0/24"))
    assert {chain.name for chain in chains(network)} == {"WHERRY-POD-C012E58E", "WHERRY-IN-C012E58E"}
    assert NodeNetwork(owner=names.owner, cluster_cidr="", service_cidr="").tag == "37A8EE"
    assert str(network.addresses) == "/d/cni/addresses/wherry-default"
    assert str(old.containerd.state) == "/r/default/containerd"
