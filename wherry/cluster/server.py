"""`wherry server`: API server, controllers and scheduler in one process.

The API server is ready first; the others follow. How they are wired is `assembly`.
"""

from __future__ import annotations

import asyncio

from wherry.cluster.apiserver import serving
from wherry.cluster.components import tell_ready
from wherry.cluster.config import ClusterConfig
from wherry.cluster.launch import main
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import SystemClock


async def run_server(config: ClusterConfig, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises PermanentError when a restart would not help."""
    async with serving(config, paths, SystemClock()) as plane:
        tell_ready("server", paths, {"url": config.server_url})
        await plane.start_clients()
        await stop.wait()
        await plane.close_clients()


if __name__ == "__main__":
    main("server", run_server)
