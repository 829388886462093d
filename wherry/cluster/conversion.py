"""Clusters that were made when a cluster and its node were one: made into what they would be now.

The node lay in the cluster's directories and had the whole of the pods' range, a /24. Its things on the
machine (containers, bridge, rules) are taken away by the names they had; images, volumes and logs move to the
node's own directory; the node keeps its range, so that no address changes hands. The pods start again.
"""

from __future__ import annotations

from pathlib import Path

from wherry.cluster.config import Setup
from wherry.cluster.node import Node, old_node, plan_of
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.teardown import tear_down_old_node


def convert(before: Setup, after: Setup, paths: ClusterPaths) -> None:
    """Take the old node of the cluster away and have its data where the node `after.node` looks for it.

    `before` is the cluster as it was made. Nothing of it may run but pods. May be done again after it was
    interrupted anywhere. Raises EndFailed, OSError.
    """
    cluster = before.cluster.name
    old, new = old_node(cluster, paths), Node.of(cluster, after.node.name, paths)
    tear_down_old_node(before, paths)
    new.paths.containerd_log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not new.paths.network.exists():
        new.ground.note(plan_of(after.node, before.cluster.pod_cidr))
    _move(paths.log_file("containerd"), new.paths.containerd_log)
    for entry in old.paths.entries:
        _move(entry, new.paths.data / entry.name)


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.replace(target)
