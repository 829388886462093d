"""`wherry agent`: the node half in one process, wired together: kubelet, its server, and the proxy.

It owns a containerd that outlives it. Containerd, the network and the first contact with the API
server are brought up side by side, since each takes a while and none needs the others.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from wherry.api.core.nodes import NODES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.client.http import HttpIdentity, HttpTransport
from wherry.cluster.addresses import AddressKeeper, node_ip
from wherry.cluster.components import PermanentError, tell_ready
from wherry.cluster.config import Setup
from wherry.cluster.identities import (
    KUBELET,
    KUBELET_CLIENT,
    KUBELET_SERVER,
    PROXY,
    Identities,
    Identity,
    find_identities,
)
from wherry.cluster.launch import main
from wherry.cluster.node import Node, node_of
from wherry.cluster.node_config import NodeConfig
from wherry.cluster.paths import ClusterPaths
from wherry.kit.clock import Clock, SystemClock
from wherry.kit.log import module_name
from wherry.kit.tasks import Tasks
from wherry.kubelet.agent import Kubelet
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime
from wherry.kubelet.runtimes.containerd.daemon import ContainerdDaemon, DaemonFailed
from wherry.kubelet.runtimes.containerd.facts import MachineFacts, MissingPrograms, read_facts
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer
from wherry.network.tool import NetworkFailure
from wherry.objects.conditions import is_true
from wherry.objects.meta import Object
from wherry.proxy.proxy import Proxy

log = logging.getLogger(module_name(__name__, __spec__))


async def run_agent(setup: Setup, paths: ClusterPaths, stop: asyncio.Event) -> None:
    """Run the node until `stop` is set. Raises PermanentError when a restart would not help."""
    clock, config = SystemClock(), setup.node
    try:
        facts = read_facts(paths.containerd)
    except MissingPrograms as error:
        raise PermanentError(str(error)) from error
    address = node_ip(config)
    identities = find_identities(setup, paths)
    for identity in (KUBELET, KUBELET_SERVER, PROXY):
        cert = identities.of(identity).cert
        if not cert.exists():
            raise PermanentError(f"{cert} is missing; run: wherry start --name {config.cluster}")
    node = node_of(config, paths)
    daemon = node.daemon(facts, clock)
    try:
        await asyncio.gather(node.bridge.ensure(), daemon.start())
    except (NetworkFailure, DaemonFailed) as error:
        raise PermanentError(str(error)) from error
    parts = _assemble(config, paths, identities, node, address, facts, clock)
    tasks = Tasks("agent")
    tasks.essential(daemon.supervise(), "containerd")
    rules = node.rule_keeper(facts, clock, parts.proxy.rules_removed)
    rules.start()
    keeper = parts.address_keeper(config, address, clock)
    try:
        if await _unless_stopped(parts.start(config, clock), stop):
            tell_ready("agent", paths, {"node": config.name, "processes": _processes(daemon)})
            log.info("node %s is ready", config.name)
            keeper.start()
            await stop.wait()
    finally:
        await keeper.close()
        await tasks.close()
        await rules.close()
        await parts.close()


@dataclass(frozen=True, slots=True)
class _Parts:
    clients: tuple[Client, Client]
    """The kubelet's and the proxy's."""
    runtime: ContainerdRuntime
    kubelet: Kubelet
    server: KubeletServer
    proxy: Proxy

    async def start(self, config: NodeConfig, clock: Clock) -> None:
        """Start everything; returns once the node is Ready and the services' rules stand."""
        try:
            await self.server.start()
        except OSError as error:
            raise PermanentError(
                f"the kubelet cannot listen on port {config.kubelet_port}: {error.strerror or error}; "
                "choose with --kubelet-port"
            ) from error
        await self.kubelet.start()
        await asyncio.gather(self.proxy.start(), _until_ready(self.clients[0], config.name, clock))

    def address_keeper(self, config: NodeConfig, address: str, clock: Clock) -> AddressKeeper:
        """Who lets the kubelet go by the machine's address, wherever the machine goes."""

        async def move(moved_to: str) -> None:
            self.kubelet.move_to(moved_to)

        return AddressKeeper(partial(node_ip, config), address, move, self.server.reload_certificate, clock)

    async def close(self) -> None:
        """Stop in the reverse order; containers and rules stay."""
        await self.proxy.close()
        await self.server.close()
        await self.kubelet.close()
        await self.runtime.close()
        for client in self.clients:
            await client.close()


def _assemble(
    config: NodeConfig,
    paths: ClusterPaths,
    identities: Identities,
    node: Node,
    address: str,
    facts: MachineFacts,
    clock: Clock,
) -> _Parts:
    random = Random(secrets.randbits(64))  # noqa: S311 - spreads retries, guards nothing
    client = _client(config, identities, KUBELET)
    runtime = ContainerdRuntime(node.containerd.socket, clock)
    kubelet_config = KubeletConfig(
        node_name=config.name,
        node_ip=address,
        hostname=config.name,
        root_dir=paths.kubelet,
        log_dir=paths.pod_logs,
        port=config.kubelet_port,
        cluster_domain=config.cluster_domain,
        cgroup_root=node.cgroup_root,
        restrict_oom_score=not facts.can_lower_oom_score,
        apparmor=facts.apparmor,
        allowed_unsafe_sysctls=config.allowed_unsafe_sysctls,
    )
    kubelet = Kubelet(kubelet_config, client, runtime, clock, random)
    server_config = KubeletServerConfig(
        node_name=config.name,
        port=config.kubelet_port,
        cert_file=identities.of(KUBELET_SERVER).cert,
        key_file=identities.of(KUBELET_SERVER).key,
        client_ca_file=identities.authority.cert,
        allowed_names=(KUBELET_CLIENT,),
        log_dir=paths.pod_logs,
    )
    server = KubeletServer(runtime, kubelet.pods, server_config, clock)
    proxy_client = _client(config, identities, PROXY)
    proxy = Proxy(proxy_client, node.backend(), config.name, clock)
    return _Parts((client, proxy_client), runtime, kubelet, server, proxy)


def _client(config: NodeConfig, identities: Identities, who: Identity) -> Client:
    """A client of the API server that is `who`."""
    pair = identities.of(who)
    identity = HttpIdentity(ca_file=identities.authority.cert, cert_file=pair.cert, key_file=pair.key)
    return Client(HttpTransport(config.server, identity, user_agent=f"wherry-{who.name}"))


async def _until_ready(client: Client, name: str, clock: Clock) -> None:
    """Return once the Node's Ready condition is true, as the API server shows it."""
    ready = asyncio.Event()

    def changed(_: Object | None, node: Object | None) -> None:
        if node is not None and is_true((node.get("status") or {}).get("conditions"), "Ready"):
            ready.set()

    cache = Cache(client, clock)
    cache.add(NODES, field_selector=f"metadata.name={name}")
    cache.on(NODES, changed)
    await cache.start()
    await ready.wait()
    await cache.close()


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


if __name__ == "__main__":
    main("agent", run_agent)
