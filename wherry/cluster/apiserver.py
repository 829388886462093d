"""The API server of a cluster: with its store opened, and alone as a process.

`serving` is how every process that holds an API server starts and ends one. Run as a module it is an
API server and nothing else, for whoever brings controllers and nodes of another kind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom

from wherry.apiserver.app import ApiServer
from wherry.apiserver.config import ApiServerConfig, FrontProxyConfig
from wherry.cluster.address_keeper import AddressKeeper
from wherry.cluster.addresses import node_ip
from wherry.cluster.assembly import ControlPlane, ControlPlaneConfig
from wherry.cluster.cluster_config import ClusterConfig
from wherry.cluster.components import PermanentError
from wherry.cluster.config import Setup
from wherry.cluster.configured import configured
from wherry.cluster.identities import (
    API_SERVER,
    API_SERVER_TO_KUBELETS,
    FRONT_PROXY,
    Identities,
    ensure_identities,
)
from wherry.cluster.paths import ClusterPaths
from wherry.controllers.base import Controller
from wherry.kit.clock import Clock
from wherry.kit.open_files import allow_open_files
from wherry.store.base import StoreError
from wherry.store.sqlite import SqliteStore

STOP_GRACE_S = 5.0


@asynccontextmanager
async def serving(
    setup: Setup,
    paths: ClusterPaths,
    clock: Clock,
    configure: Callable[[Identities], ControlPlaneConfig],
    port_flag: str = "--api-port",
) -> AsyncIterator[ControlPlane]:
    """A control plane over the store of `paths`, whose API server is ready to answer.

    Keys that are missing are made; by where they lie `configure` says what the control plane is told.
    `port_flag` chooses another port. Raises PermanentError when a restart would not help.
    """
    allow_open_files()
    config = setup.cluster
    address = node_ip(config)
    identities = ensure_identities(setup, paths, address, datetime.now(UTC))
    paths.store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        store = await SqliteStore.open(paths.store, clock)
    except StoreError as error:
        raise PermanentError(str(error)) from error
    try:
        plane = ControlPlane(configure(identities), store, clock, SystemRandom())
        await _start(plane, config, port_flag)
        keeper = _address_keeper(setup, paths, address, plane.api, clock)
        keeper.start()
        try:
            yield plane
        finally:
            await keeper.close()
            await plane.api.close(STOP_GRACE_S)
    finally:
        await store.close()


async def _start(plane: ControlPlane, config: ClusterConfig, port_flag: str) -> None:
    try:
        await plane.api.start()
    except OSError as error:
        where = f"{config.api_host}:{config.api_port}"
        raise PermanentError(
            f"the API server cannot listen on {where}: {error.strerror or error}; choose with {port_flag}"
        ) from error


def _address_keeper(
    setup: Setup, paths: ClusterPaths, address: str, api: ApiServer, clock: Clock
) -> AddressKeeper:
    """Who signs certificates anew that are to cover an address the machine has come to."""

    async def sign(moved_to: str) -> None:
        await asyncio.to_thread(ensure_identities, setup, paths, moved_to, datetime.now(UTC))

    return AddressKeeper(partial(node_ip, setup.cluster), address, sign, api.reload_certificate, clock)


def control_plane_config(
    config: ClusterConfig, identities: Identities, *, heartbeat_s: float = 0.0
) -> ControlPlaneConfig:
    """What the control plane of this cluster is told; `heartbeat_s` as of `configured`."""
    return configured(
        api_server_config(config, identities),
        all_controllers(),
        installed=installed_controllers(),
        has_scheduler=True,
        authority_key_file=identities.authority.key,
        cluster_cidr=config.pod_cidr,
        node_cidr_mask=config.node_cidr_mask,
        heartbeat_s=heartbeat_s,
    )


def installed_controllers() -> Sequence[type[Controller]]:
    """Those of installed packages."""
    from wherry.controllers.installed import installed_controllers as found

    return found()


def all_controllers() -> Sequence[type[Controller]]:
    """Every controller there is; asking for them loads their code."""
    from wherry.controllers.catalog import CONTROLLERS

    return CONTROLLERS


def api_server_config(config: ClusterConfig, identities: Identities) -> ApiServerConfig:
    """What the API server of this cluster is told."""
    return ApiServerConfig(
        host=config.api_host,
        port=config.api_port,
        tls_cert_file=identities.of(API_SERVER).cert,
        tls_key_file=identities.of(API_SERVER).key,
        client_ca_file=identities.authority.cert,
        service_account_key_file=identities.tokens_key,
        service_account_issuer=f"https://kubernetes.default.svc.{config.cluster_domain}",
        service_cidr=config.service_cidr,
        node_ports=config.node_ports,
        cluster_dns=config.dns_address,
        advertise_address=config.server_address,
        # Where no pods run there is no such address.
        listen_on_advertised=not config.is_simulated
        and config.api_host not in ("0.0.0.0", config.server_address),  # noqa: S104
        kubelet_client_cert_file=identities.of(API_SERVER_TO_KUBELETS).cert,
        kubelet_client_key_file=identities.of(API_SERVER_TO_KUBELETS).key,
        kubelet_ca_file=identities.authority.cert,
        proxy_client_cert_file=identities.of(FRONT_PROXY).cert,
        proxy_client_key_file=identities.of(FRONT_PROXY).key,
        requestheader_client_ca_file=identities.front_proxy_authority.cert,
        front_proxy=FrontProxyConfig(names=(FRONT_PROXY.user,)),
        cluster_name=config.name,
        enable_admission_plugins=config.enable_admission_plugins,
        disable_admission_plugins=config.disable_admission_plugins,
        runtime_config=config.runtime_config,
    )
