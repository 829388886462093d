"""The simulated nodes of a cluster, in the process of its server: `simulating`.

Their pods have addresses of `hollow.addresses.NODE_BLOCKS`, which nobody routes, a block per node: the
cluster's own pod range is the real node's. What is written for heartbeats is bounded: with many nodes their
leases last longer, and the controllers wait so much longer before they take a node for lost.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random, SystemRandom

from wherry.apiserver.user import AUTHENTICATED
from wherry.cluster.assembly import ControlPlane
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import PermanentError
from wherry.cluster.identities import MASTERS
from wherry.cluster.retirement import retire
from wherry.hollow.files import Simulation, StageError, read_simulation
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.rights import USER, ensure_rights
from wherry.kit.clock import Clock

log = logging.getLogger(__name__)

FOUNDER = "kubernetes-admin"


def simulation_of(config: ClusterConfig) -> Simulation:
    """What the settings and their files say. Raises PermanentError."""
    try:
        found = read_simulation([Path(name) for name in config.simulation])
    except StageError as error:
        raise PermanentError(f"simulation: {error}") from error
    if not config.simulated_nodes:
        return found
    return replace(found, template=replace(found.template, count=config.simulated_nodes))


@asynccontextmanager
async def simulating(simulation: Simulation, plane: ControlPlane, clock: Clock) -> AsyncIterator[None]:
    """Simulated nodes for the time of the block.

    Those of the template that are missing are made; those above its count, and those of templates there were
    before, are deleted with their pods. Raises ApiError.
    """
    await ensure_rights(plane.client(FOUNDER, (AUTHENTICATED, MASTERS)), simulation.stages)
    random = Random(SystemRandom().getrandbits(64))  # noqa: S311 - spreads what happens, guards nothing
    told = (simulation.template, simulation.stages, simulation.outcomes)
    nodes = HollowNodes(plane.client(USER), clock, random, *told, plane.client)
    await nodes.start()
    try:
        if gone := surplus(simulation.template, nodes.of_pools()):
            pods = await retire(plane.client(USER), clock, gone)
            what = "%d simulated nodes that are no longer asked for are deleted, as %s, and %d pods on them"
            log.info(what, len(gone), gone[0], pods)
        yield
    finally:
        await nodes.close()


def surplus(template: NodeTemplate, names: Iterable[str]) -> list[str]:
    """The `names`, of nodes that were made of a template, which this one does not make."""
    wanted = {template.node_name(index) for index in range(template.count)}
    return [name for name in names if name not in wanted]
