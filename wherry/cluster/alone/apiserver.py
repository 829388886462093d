"""`wherry apiserver`: the API server alone, with kube-apiserver's flags.

Its objects are in SQLite below `--data-dir`, which may be a cluster's own. Keys that no flag names are made
there, and kubeconfigs of the administrator and of each part: what others need to run beside it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import replace
from pathlib import Path

from wherry.apiserver.config import ApiServerConfig
from wherry.cluster.addresses import node_ip
from wherry.cluster.alone.apiserver_flags import FLAGS, api_server_config
from wherry.cluster.alone.flags import FlagError, Values
from wherry.cluster.alone.process import main
from wherry.cluster.apiserver import serving
from wherry.cluster.assembly import ControlPlaneConfig
from wherry.cluster.catalog import APISERVER
from wherry.cluster.clusters import with_node_name
from wherry.cluster.components import announce
from wherry.cluster.config import ConfigError, Setup, overlay, read_config_file
from wherry.cluster.identities import (
    API_SERVER,
    API_SERVER_TO_KUBELETS,
    FRONT_PROXY,
    Identities,
    ensure_identities,
)
from wherry.cluster.kubeconfigs import write_kubeconfigs
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.settings import Source
from wherry.kit.clock import SystemClock
from wherry.kit.log import module_name

log = logging.getLogger(module_name(__name__, __spec__))

SETTINGS = {
    "api_host": "bind-address",
    "api_port": "secure-port",
    "service_cidr": "service-cluster-ip-range",
    "node_ports": "service-node-port-range",
}
"""Settings of a cluster that keys depend on, by the flags that say them."""
OWN_KEYS = ("client-ca-file", "tls-cert-file", "cert-dir")
"""With these the user has keys of their own, which our kubeconfigs would not go with."""


def setup_of(values: Values, paths: ClusterPaths) -> Setup:
    """The cluster these flags are about, as it was made here where they do not say. Raises FlagError."""
    flags = Source(lambda attribute: f"--{SETTINGS.get(attribute, attribute)}")
    given = {name: _setting(values, flag) for name, flag in SETTINGS.items() if values.has(flag)}
    try:
        base = read_config_file(paths.config, Setup.of()) if paths.config.exists() else _fresh(values)
        return with_node_name(overlay(base, given, flags), socket.gethostname())
    except ConfigError as error:
        raise FlagError(str(error)) from None


def _fresh(values: Values) -> Setup:
    return overlay(Setup.of(), {name: _setting(values, flag) for name, flag in SETTINGS.items()}, Source(str))


def _setting(values: Values, flag: str) -> str:
    """What keys depend on: of two ranges of ClusterIPs the first, of which the server's own address is."""
    return values.text(flag).split(",")[0] if flag == "service-cluster-ip-range" else values.text(flag)


def key_files(identities: Identities) -> dict[str, Path]:
    """What keys there are, by the flags that name others."""
    server, kubelets = identities.of(API_SERVER), identities.of(API_SERVER_TO_KUBELETS)
    front = identities.of(FRONT_PROXY)
    return {
        "tls-cert-file": server.cert,
        "tls-private-key-file": server.key,
        "client-ca-file": identities.authority.cert,
        "service-account-signing-key-file": identities.tokens_key,
        "kubelet-client-certificate": kubelets.cert,
        "kubelet-client-key": kubelets.key,
        "proxy-client-cert-file": front.cert,
        "proxy-client-key-file": front.key,
        "requestheader-client-ca-file": identities.front_proxy_authority.cert,
    }


def told(values: Values, setup: Setup, identities: Identities, *, has_nodes: bool = False) -> ApiServerConfig:
    """What the API server is told. Raises FlagError, OSError.

    In a cluster that `has_nodes` pods reach the API server where `up` lets them.
    """
    # What the flags do not say is as the cluster in this directory has it.
    known = {flag: str(_written(setup, name)) for name, flag in SETTINGS.items()}
    merged = Values(values.program, values.flags, {**known, **values.given})
    config = api_server_config(merged, key_files(identities))
    if not has_nodes or values.has("advertise-address"):
        return config
    return replace(config, advertise_address=setup.cluster.server_address, listen_on_advertised=True)


def _written(setup: Setup, attribute: str) -> object:
    value = setup.value(attribute)
    return f"{value[0]}-{value[1]}" if isinstance(value, tuple) else value


async def run_api_server(values: Values, stop: asyncio.Event) -> None:
    """Serve until `stop` is set. Raises FlagError, PermanentError, OSError."""
    data = values.path("data-dir")
    if data is None:
        raise FlagError("--data-dir is missing: objects are kept below it")
    paths = ClusterPaths(data.absolute(), data.absolute() / "run")
    setup = setup_of(values, paths)
    paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    identities = ensure_identities(setup, paths, node_ip(setup.cluster), SystemClock().now())
    has_nodes = paths.config.exists() and not setup.cluster.is_simulated
    config = told(values, setup, identities, has_nodes=has_nodes)

    def configure(_: Identities) -> ControlPlaneConfig:
        return ControlPlaneConfig(api=config, has_scheduler=False)

    async with serving(setup, paths, SystemClock(), configure, "--secure-port"):
        # Only now: another that serves these objects has its own, for its own port.
        if not any(values.has(flag) for flag in OWN_KEYS):
            write_kubeconfigs(setup, paths, identities)
            log.info("kubeconfigs of the administrator and of each part are below %s", paths.data)
        log.info("serving on port %s", config.port)
        announce()
        await stop.wait()


if __name__ == "__main__":
    main(APISERVER, FLAGS, run_api_server)
