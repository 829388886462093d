"""Taking nodes down: every container, mount, interface, route and rule of one cluster, nobody else's.

Works from names and what was written down, so it also cleans up after an agent that was killed. Images and
the pods' data stay; `delete` removes them with the data directory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from wherry.cluster.config import Setup
from wherry.cluster.lifecycle import EndFailed
from wherry.cluster.node import Node, nodes_here, old_node, plan_of
from wherry.cluster.paths import ClusterPaths, has_old_node
from wherry.kit.cgroups import cgroup_directories
from wherry.kit.clock import SystemClock
from wherry.kit.mounts import detach_all, mounts_below
from wherry.kubelet.runtimes.containerd.daemon import DaemonFailed
from wherry.kubelet.runtimes.containerd.facts import MachineFacts, MissingPrograms, read_facts
from wherry.network.tool import NetworkFailure
from wherry.proxy.backends.base import BackendError
from wherry.proxy.catalog import AUTO

ROOT = Path("/")


def tear_down_nodes(setup: Setup, paths: ClusterPaths) -> None:
    """End and remove everything the agents of the cluster `setup` made on this machine.

    Raises EndFailed, OSError for what resists.
    """
    _tear_down(nodes_here(setup.cluster.name, paths), setup, paths)


def tear_down_old_node(setup: Setup, paths: ClusterPaths) -> None:
    """The same for the node of a cluster that was made when the two were one; raises the same."""
    _tear_down([old_node(setup.cluster.name, paths)], setup, paths)


def detach_mounts(cluster: str, paths: ClusterPaths) -> None:
    """Unmount what pods left mounted, also where the programs that mounted it are gone. Raises OSError."""
    kubelets = [node.paths.kubelet for node in nodes_here(cluster, paths)]
    detach_all(mounts_below((*kubelets, paths.run)))


def check_deletable(directory: Path) -> None:
    """Raise OSError while something is mounted below: what is bound there would be deleted as well."""
    if left := mounts_below((directory,)):
        raise OSError(f"{left[0]} is still mounted; unmount it, then delete the cluster again")


def _tear_down(nodes: Sequence[Node], setup: Setup, paths: ClusterPaths) -> None:
    try:
        facts = read_facts(paths.data)
    except MissingPrograms:
        return  # it never ran: nothing can be there
    if has_old_node(paths):
        # It laid what its cluster's configuration said, and wrote nothing down.
        ground = old_node(setup.cluster.name, paths).ground
        ground.note(plan_of(setup.node, setup.cluster.pod_cidr))
    try:
        for node in nodes:
            asyncio.run(_take_down(node, facts))
    except (DaemonFailed, NetworkFailure, BackendError) as error:
        raise EndFailed(str(error)) from error
    old_node(setup.cluster.name, paths).paths.network.unlink(missing_ok=True)


async def _take_down(node: Node, facts: MachineFacts) -> None:
    pods = _pod_directories(node)
    await node.daemon(facts, SystemClock()).take_down()
    await asyncio.to_thread(detach_all, mounts_below((node.paths.kubelet,)))
    await asyncio.to_thread(detach_all, [p for p in mounts_below((ROOT,)) if not pods.isdisjoint(p.parts)])
    await node.backend(AUTO, "", "", ()).remove()  # by its name alone
    await node.ground.take_up(is_record_lost=node.paths.note.exists())


def _pod_directories(node: Node) -> set[str]:
    """The names (uids) of its pods' directories: their mounts are found by them where its data was moved."""
    return {
        directory.name.removeprefix("pod")
        for root in cgroup_directories(node.names.cgroup_root)
        for pattern in ("pod*", "*/pod*")
        for directory in root.glob(pattern)
    }
