"""`wherry server`: API server, controllers and scheduler in one process, wired together.

They talk through the API server's local transport: no HTTP, no encoding, but each as its own user
and with the same authorization as anybody. The API server is ready first; the others follow.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random

from wherry.api.resource import Resource
from wherry.apiserver.app import ApiServer
from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.user import AUTHENTICATED, User
from wherry.client.api import Client
from wherry.cluster.components import PermanentError, tell_ready
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import Identities, ensure_identities, pod_gateway
from wherry.cluster.launch import main
from wherry.cluster.lifecycle import node_address
from wherry.cluster.paths import ClusterPaths
from wherry.controllers.config import ControllerConfig, builtin_resources
from wherry.controllers.controllers import Controllers
from wherry.kit.clock import SystemClock
from wherry.scheduler.scheduler import Scheduler
from wherry.store.base import StoreError
from wherry.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

STOP_GRACE_S = 5.0
SCHEDULER = "system:kube-scheduler"
CONTROLLER_MANAGER = "system:kube-controller-manager"


async def run_server(config: ClusterConfig, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises PermanentError when a restart would not help."""
    clock = SystemClock()
    identities = ensure_identities(config, paths, node_address(), datetime.now(UTC))
    paths.store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        store = await SqliteStore.open(paths.store, clock)
    except StoreError as error:
        raise PermanentError(str(error)) from error
    try:
        api = ApiServer(api_server_config(config, identities), store, clock)
        try:
            await api.start()
        except OSError as error:
            where = f"{config.api_host}:{config.api_port}"
            raise PermanentError(
                f"the API server cannot listen on {where}: {error.strerror or error}; choose with --api-port"
            ) from error
        try:
            await _run_clients(config, identities, api, paths, stop)
        finally:
            await api.close(STOP_GRACE_S)
    finally:
        await store.close()


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
        controller_config(config, identities, api.core.registry.resources),
    )
    scheduler = Scheduler(client(SCHEDULER), clock, random)
    tell_ready("server", paths, {"url": config.server_url})
    await asyncio.gather(controllers.start(), scheduler.start())
    log.info("controllers and scheduler run")
    await stop.wait()
    await asyncio.gather(controllers.close(), scheduler.close())


def api_server_config(config: ClusterConfig, identities: Identities) -> ApiServerConfig:
    """What the API server of this cluster is told."""
    return ApiServerConfig(
        host=config.api_host,
        port=config.api_port,
        tls_cert_file=identities.api_server.cert,
        tls_key_file=identities.api_server.key,
        client_ca_file=identities.authority.cert,
        service_account_key_file=identities.tokens_key,
        service_account_issuer=f"https://kubernetes.default.svc.{config.cluster_domain}",
        service_cidr=config.service_cidr,
        node_ports=config.node_ports,
        advertise_address=pod_gateway(config),
        listen_on_advertised=config.api_host not in ("0.0.0.0", pod_gateway(config)),  # noqa: S104
        kubelet_client_cert_file=identities.kubelet_client.cert,
        kubelet_client_key_file=identities.kubelet_client.key,
        kubelet_ca_file=identities.authority.cert,
        cluster_name=config.name,
    )


def controller_config(
    config: ClusterConfig,
    identities: Identities,
    resources: Callable[[], Sequence[Resource]] = builtin_resources,
) -> ControllerConfig:
    """What the controllers of this cluster are told; `resources` gives what is served now."""
    return ControllerConfig(
        cluster_ca_pem=identities.authority.cert.read_text(),
        cluster_cidr=config.pod_cidr,
        resources=resources,
    )


if __name__ == "__main__":
    main("server", run_server)
