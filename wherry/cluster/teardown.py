"""Taking a node down: every container, mount, interface, route and rule of one cluster, nobody else's.

Works from the configuration alone, so it also cleans up after an agent that was killed. Images and
the pods' data stay; `delete` removes them with the data directory.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from wherry.cluster.lifecycle import EndFailed
from wherry.cluster.node import node_of
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import SystemClock
from wherry.kit.mounts import detach_all, mounts_below
from wherry.kubelet.runtimes.containerd.daemon import DaemonFailed
from wherry.kubelet.runtimes.containerd.facts import MachineFacts, MissingPrograms, read_facts
from wherry.network.tool import NetworkFailure
from wherry.proxy.backends.base import BackendError


def tear_down_node(config: NodeConfig, paths: ClusterPaths) -> None:
    """End and remove everything of the cluster that the agent made on this machine.

    Raises EndFailed, OSError for what resists.
    """
    try:
        facts = read_facts(paths.containerd)
    except MissingPrograms:
        return  # it never ran: nothing can be there
    try:
        asyncio.run(_tear_down(config, paths, facts))
    except (DaemonFailed, NetworkFailure, BackendError) as error:
        raise EndFailed(str(error)) from error


def detach_mounts(paths: ClusterPaths) -> None:
    """Unmount what pods left mounted, also where the programs that mounted it are gone. Raises OSError."""
    detach_all(mounts_below((paths.kubelet, paths.run)))


def check_deletable(directory: Path) -> None:
    """Raise OSError while something is mounted below: what is bound there would be deleted as well."""
    if left := mounts_below((directory,)):
        raise OSError(f"{left[0]} is still mounted; unmount it, then delete the cluster again")


async def _tear_down(config: NodeConfig, paths: ClusterPaths, facts: MachineFacts) -> None:
    node = node_of(config, paths)
    await node.daemon(facts, SystemClock()).take_down()
    await asyncio.to_thread(detach_all, mounts_below((paths.kubelet,)))
    await node.backend().remove()
    await node.bridge.remove()
