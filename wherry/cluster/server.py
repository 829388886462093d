"""`wherry server`: API server, controllers, scheduler and simulated nodes in one process.

The API server is ready first; the others follow. A cluster of simulated nodes is ready when these are. How
they are wired is `assembly`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from wherry.api.core.nodes import NODES
from wherry.api.core.simulated import is_simulated
from wherry.cluster.apiserver import control_plane_config, serving
from wherry.cluster.assembly import CONTROLLER_MANAGER, ControlPlane
from wherry.cluster.causes import the_cause_first
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import tell_ready
from wherry.cluster.config import Setup
from wherry.cluster.launch import main
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import Clock, SystemClock


async def run_server(setup: Setup, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises PermanentError when a restart would not help."""
    clock, config = SystemClock(), setup.cluster
    heartbeat_s = 0.0
    if _is_wanted(config):
        from wherry.cluster.simulated import simulation_of

        heartbeat_s = simulation_of(config).template.heartbeat_s
    configure = partial(control_plane_config, config, heartbeat_s=heartbeat_s)
    async with serving(setup, paths, clock, configure) as plane:
        if not config.is_simulated:  # else its nodes are waited for
            tell_ready("server", paths, {"url": config.server_url})
        try:
            with the_cause_first("the server"):
                await plane.start_clients()
                async with _simulated_nodes(config, plane, clock):
                    if config.is_simulated:
                        tell_ready("server", paths, {"url": config.server_url})
                    await stop.wait()
        finally:
            await plane.close_clients()


@asynccontextmanager
async def _simulated_nodes(config: ClusterConfig, plane: ControlPlane, clock: Clock) -> AsyncIterator[None]:
    """Simulated nodes for the time of the block, if there are any or shall be."""
    if not _is_wanted(config):
        nodes = await plane.client(CONTROLLER_MANAGER).list(NODES)
        if not any(is_simulated(node) for node in nodes.items):
            yield
            return
    # Imported here: most clusters have none, and need not pay for the code.
    from wherry.cluster.simulated import simulation_of
    from wherry.cluster.simulation import simulating

    async with simulating(simulation_of(config), plane, clock):
        yield


def _is_wanted(config: ClusterConfig) -> bool:
    return bool(config.is_simulated or config.simulated_nodes or config.simulation)


def process() -> None:
    """Be the component, until SIGTERM; ends the process."""
    main("server", run_server)


if __name__ == "__main__":
    process()
