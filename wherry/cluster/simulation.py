"""The simulated nodes of a cluster, in the process of its server: `simulating`.

Their pods have addresses of `hollow.addresses.NODE_BLOCKS`, which nobody routes, a block per node: the
cluster's own pod range is the real node's. What is written for heartbeats is bounded: with many nodes their
leases last longer, and the controllers wait so much longer before they take a node for lost.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random, SystemRandom

from wherry.apiserver.user import AUTHENTICATED
from wherry.cluster.assembly import ControlPlane
from wherry.cluster.identities import MASTERS
from wherry.cluster.retirement import retire
from wherry.cluster.simulated import surplus
from wherry.hollow.files import Simulation
from wherry.hollow.hollow import HollowNodes
from wherry.hollow.rights import USER, ensure_rights
from wherry.kit.clock import Clock

log = logging.getLogger(__name__)

FOUNDER = "kubernetes-admin"


@asynccontextmanager
async def simulating(simulation: Simulation, plane: ControlPlane, clock: Clock) -> AsyncIterator[None]:
    """Simulated nodes for the time of the block.

    Those of the templates that are missing are made; those above a count, and those of templates there were
    before, are deleted with their pods. One that the API refuses is an error in the log, and is not made: the
    server goes on without it. Raises ApiError.
    """
    await ensure_rights(plane.client(FOUNDER, (AUTHENTICATED, MASTERS)), simulation.stages)
    random = Random(SystemRandom().getrandbits(64))  # noqa: S311 - spreads what happens, guards nothing
    told = (simulation.template, simulation.stages, simulation.outcomes)
    nodes = HollowNodes(plane.client(USER), clock, random, *told, plane.client, simulation.more)
    await nodes.start(makes_missing=False)
    try:
        for words, names in (await nodes.make_missing()).items():
            what = "%d simulated nodes were refused, %s the first of them: %s"
            log.error(what, len(names), names[0], words)
        if gone := surplus(simulation.templates, nodes.of_pools()):
            pods = await retire(plane.client(USER), clock, gone)
            what = "%d simulated nodes that are no longer asked for are deleted, as %s, and %d pods on them"
            log.info(what, len(gone), gone[0], pods)
        yield
    finally:
        await nodes.close()
