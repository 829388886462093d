"""`wherry agent`: the node half in one process: the parts of `node_assembly`, over containerd and iptables.

It owns a containerd that outlives it. The machine's own network and containerd are brought up side by side,
since each takes a while and none needs the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from wherry.client.api import Client
from wherry.client.http import HttpIdentity, HttpTransport
from wherry.cluster.address_keeper import AddressKeeper
from wherry.cluster.addresses import node_ip
from wherry.cluster.causes import the_cause_first
from wherry.cluster.components import PermanentError, tell_ready
from wherry.cluster.config import Setup
from wherry.cluster.identities import (
    DNS,
    KUBELET,
    KUBELET_CLIENT,
    KUBELET_SERVER,
    PROXY,
    Identities,
    Identity,
    find_identities,
)
from wherry.cluster.kubelet_files import configured
from wherry.cluster.land import MachineLand
from wherry.cluster.launch import main
from wherry.cluster.node import Node
from wherry.cluster.node_assembly import NodeClients, NodeParts, NodePartsConfig
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import ClusterPaths, NodePaths, has_old_node
from wherry.cluster.registries import registries_of
from wherry.cluster.values import taint_of
from wherry.dns.served import DnsConfig
from wherry.images.folder import load_folder
from wherry.images.load import ImportFailed
from wherry.kit.clock import Clock, SystemClock
from wherry.kit.log import module_name
from wherry.kit.tasks import Tasks
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.configuration.decoding import ConfigurationError
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon, DaemonFailed
from wherry.kubelet.runtimes.containerd.facts import MachineFacts, MissingPrograms, read_facts
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.network.tool import NetworkFailure

DEFAULT_FOLDER = Path("/etc/wherry/images")
"""Where a machine has images for its nodes."""

log = logging.getLogger(module_name(__name__, __spec__))


async def run_agent(setup: Setup, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Run the node until `stop` is set. Raises PermanentError when a restart would not help."""
    clock, config = SystemClock(), setup.node
    if has_old_node(paths):  # its pods still run below the containerd they had
        raise PermanentError(
            f"cluster {config.cluster!r} was made by an earlier version; "
            f"run: wherry up --name {config.cluster}"
        )
    node = Node.of(config.cluster, config.name, paths)
    node.note()
    node.paths.containerd_log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        facts = read_facts(node.paths.containerd)
    except MissingPrograms as error:
        raise PermanentError(str(error)) from error
    address = node_ip(config)
    identities = find_identities(setup, paths)
    for identity in (KUBELET, KUBELET_SERVER, PROXY, DNS):
        cert = identities.of(identity).cert
        if not cert.exists():
            raise PermanentError(f"{cert} is missing; run: wherry start --name {config.cluster}")
    daemon = node.daemon(facts, clock, registries_of(config))
    clients = NodeClients(
        kubelet=_client(config, identities, KUBELET),
        proxy=_client(config, identities, PROXY),
        dns=_client(config, identities, DNS),
    )
    runtime = ContainerdRuntime(node.containerd.socket, clock, pulls=daemon.pulls)
    parts = NodeParts(
        _parts_config(config, node, identities, address, facts),
        clients,
        runtime,
        lambda removed: MachineLand(node, config, daemon, facts.cni_bin_dir, clock, removed),
        node.backend(
            config.proxy_mode,
            config.cluster_cidr,
            config.service_cidr,
            config.server_ports,
            config.dns_address,
        ),
        clock,
        Random(SystemRandom().getrandbits(64)),  # noqa: S311 - spreads retries, guards nothing
    )
    tasks = Tasks("agent")
    keeper = _address_keeper(config, parts, address, clock)
    try:
        try:
            with the_cause_first("the agent"):
                await asyncio.gather(daemon.start(), parts.prepare())
                await _load_images(config, daemon)
                await _listen(config, parts)
                tasks.essential(daemon.supervise(), "containerd")
                has_started = await _unless_stopped(parts.start(), stop)
        except (ConfigurationError, NetworkFailure, DaemonFailed) as error:
            raise PermanentError(str(error)) from error
        if has_started:
            tell_ready("agent", paths, {"node": config.name, "processes": _processes(daemon)})
            log.info("node %s is ready", config.name)
            keeper.start()
            await stop.wait()
    finally:
        await keeper.close()
        await tasks.close()
        await parts.close()
        await runtime.close()
        await clients.close()


async def _listen(config: NodeConfig, parts: NodeParts) -> None:
    try:
        await parts.listen()
    except OSError as error:
        raise PermanentError(
            f"the kubelet cannot listen on port {config.kubelet_port}: {error.strerror or error}; "
            "choose with --kubelet-port"
        ) from error


def _address_keeper(config: NodeConfig, parts: NodeParts, address: str, clock: Clock) -> AddressKeeper:
    """Who lets the kubelet go by the machine's address, wherever the machine goes."""

    async def move(moved_to: str) -> None:
        parts.kubelet.move_to(moved_to)

    return AddressKeeper(partial(node_ip, config), address, move, parts.reload_certificate, clock)


def _client(config: NodeConfig, identities: Identities, who: Identity) -> Client:
    """A client of the API server that is `who`."""
    pair = identities.of(who)
    identity = HttpIdentity(
        ca_file=identities.authority.cert,
        cert_file=pair.cert,
        key_file=pair.key,
        remedy=f"sign it anew with: wherry stop --name {config.cluster}, then wherry up",
    )
    return Client(HttpTransport(config.server, identity, user_agent=f"wherry-{who.name}"))


def _parts_config(
    config: NodeConfig, node: Node, identities: Identities, address: str, facts: MachineFacts
) -> NodePartsConfig:
    paths: NodePaths = node.paths
    kubelet = KubeletConfig(
        node_name=config.name,
        node_ip=address,
        hostname=config.name,
        root_dir=paths.kubelet,
        log_dir=paths.pod_logs,
        port=config.kubelet_port,
        cluster_domain=config.cluster_domain,
        cluster_dns=(config.dns_address,) if config.dns_address else (),
        cgroup_root=node.names.cgroup_root,
        restrict_oom_score=not facts.can_lower_oom_score,
        apparmor=facts.apparmor,
        allowed_unsafe_sysctls=config.allowed_unsafe_sysctls,
        register_labels=config.labels,
        register_taints=[taint_of(text) for text in config.taints],
    )
    kubelet = configured(config, kubelet)
    server = KubeletServerConfig(
        node_name=config.name,
        port=config.kubelet_port,
        cert_file=identities.of(KUBELET_SERVER).cert,
        key_file=identities.of(KUBELET_SERVER).key,
        client_ca_file=identities.authority.cert,
        allowed_names=(KUBELET_CLIENT,),
        log_dir=paths.pod_logs,
        flags={
            "cgroup-root": node.names.cgroup_root,
            "cluster-domain": config.cluster_domain,
            "hostname-override": config.name,
            "node-ip": address,
            "port": str(config.kubelet_port),
            "root-dir": str(paths.kubelet),
        },
    )
    dns = DnsConfig(domain=config.cluster_domain, address=config.dns_address, clients=(config.cluster_cidr,))
    return NodePartsConfig(kubelet=kubelet, server=server, dns=dns if config.dns_address else None)


async def _load_images(config: NodeConfig, daemon: ContainerdDaemon) -> None:
    """Have the images of the folder the settings name, or of the machine's. Raises PermanentError."""
    folder = Path(config.images) if config.images else DEFAULT_FOLDER
    if not config.images and not folder.is_dir():
        return
    try:
        await load_folder(daemon.image_store, folder, daemon.paths.root / "loaded_images.json")
    except OSError as error:
        raise PermanentError(f"the images of {folder} cannot be loaded: {error.strerror or error}") from error
    except ImportFailed as error:
        raise PermanentError(f"the images of {folder} cannot be loaded: {error}") from error


async def _unless_stopped(start: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Whether `start` came to its end before `stop` was set; if not it is cancelled."""
    starting = asyncio.ensure_future(start)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return False
    starting.result()
    return True


def _processes(daemon: ContainerdDaemon) -> dict[str, int]:
    pid = daemon.pid
    return {"containerd": pid} if pid else {}


def process() -> None:
    """Be the component, until SIGTERM; ends the process."""
    main("agent", run_agent)


if __name__ == "__main__":
    process()
