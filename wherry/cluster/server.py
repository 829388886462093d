"""`wherry server`: API server, controllers and scheduler in one process, wired together.

They talk through the API server's local transport: no HTTP, no encoding, but each as its own user
and with the same authorization as anybody. The API server is ready first; the others follow.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from random import Random

from wherry.api.resource import Resource
from wherry.apiserver.app import ApiServer
from wherry.apiserver.user import AUTHENTICATED, User
from wherry.client.api import Client
from wherry.cluster.apiserver import serving
from wherry.cluster.components import tell_ready
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import Identities
from wherry.cluster.launch import main
from wherry.cluster.paths import ClusterPaths
from wherry.controllers.config import ControllerConfig, builtin_resources
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object
from wherry.scheduler.scheduler import Scheduler

log = logging.getLogger(__name__)

SCHEDULER = "system:kube-scheduler"
CONTROLLER_MANAGER = "system:kube-controller-manager"


async def run_server(config: ClusterConfig, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises PermanentError when a restart would not help."""
    async with serving(config, paths, SystemClock()) as (api, identities):
        await _run_clients(config, identities, api, paths, stop)


async def _run_clients(
    config: ClusterConfig,
    identities: Identities,
    api: ApiServer,
    paths: ClusterPaths,
    stop: asyncio.Event,
) -> None:
    clock = SystemClock()
    random = Random(secrets.randbits(64))  # noqa: S311 - spreads choices, guards nothing

    def client(user_name: str) -> Client:
        transport = api.local_transport(User(user_name, (AUTHENTICATED,)))
        return Client(transport, field_manager=user_name.rpartition(":")[2])

    controllers = Controllers(
        lambda _: client(CONTROLLER_MANAGER),
        clock,
        random,
        controller_config(config, identities, api.core.registry.resources, api.core.tokens.keys.sign),
    )
    scheduler = Scheduler(client(SCHEDULER), clock, random)
    tell_ready("server", paths, {"url": config.server_url})
    await asyncio.gather(controllers.start(), scheduler.start())
    log.info("controllers and scheduler run")
    await stop.wait()
    await asyncio.gather(controllers.close(), scheduler.close())


def controller_config(
    config: ClusterConfig,
    identities: Identities,
    resources: Callable[[], Sequence[Resource]] = builtin_resources,
    sign_token: Callable[[Object], str] | None = None,
) -> ControllerConfig:
    """What the controllers of this cluster are told.

    `resources` gives what is served now, `sign_token` makes a service account's token of claims.
    """
    return ControllerConfig(
        cluster_ca_pem=identities.authority.cert.read_text(),
        cluster_cidr=config.pod_cidr,
        sign_token=sign_token,
        resources=resources,
    )


if __name__ == "__main__":
    main("server", run_server)
