"""A node put together of its parts, without a process around it: `NodeParts`.

The agent's process and the tests are thin users of it, and nothing else wires a kubelet, its server, a proxy
and the pods' network. What they depend on is an argument: client, runtime, the machine's network, clock, the
source of random choices. It stands beside `assembly`, so that a server need not load a node's code.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from random import Random
from typing import Protocol

from wherry.client.api import Client
from wherry.cluster.own_node import OwnNode
from wherry.dns.served import DnsConfig, ServedDns
from wherry.kit.clock import Clock
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.kubelet.agent import Kubelet
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.host import Host
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import Runtime
from wherry.kubelet.server.access import ApiReviews
from wherry.kubelet.server.config import KubeletServerConfig
from wherry.kubelet.server.server import KubeletServer
from wherry.network.tool import NetworkFailure
from wherry.proxy.backends.base import Backend
from wherry.proxy.proxy import Proxy

log = logging.getLogger(__name__)

LONGEST_RETRY_S = 10.0


class Land(Protocol):
    """The machine's side of the pods' network, for whatever range the node is given."""

    def laid(self) -> str:
        """The range the network was laid for last, "" before the first time."""
        ...

    async def lay(self, pod_cidr: str) -> None:
        """Have the network be there for pods of `pod_cidr`. Raises NetworkFailure, OSError."""
        ...

    async def until_seen(self) -> None:
        """Return when the runtime has read how its pods are networked. Raises NetworkFailure."""
        ...

    async def close(self) -> None:
        """Look no more after what was laid; it stays."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePartsConfig:
    """What a node's parts are told.

    Without `server` nobody can ask the kubelet for logs or a shell, without `dns` nobody here for names.
    """

    kubelet: KubeletConfig
    server: KubeletServerConfig | None = None
    dns: DnsConfig | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClients:
    """A client for each part, as the user it is."""

    kubelet: Client
    proxy: Client
    dns: Client

    async def close(self) -> None:
        """Close all of them."""
        for client in (self.kubelet, self.proxy, self.dns):
            await client.close()


class NodeParts:
    """Kubelet with its server, and proxy, of one node; the pods' network once the node is given its range.

    Neither `clients` nor `runtime` are closed here. `land` makes the machine's side of
    the network; it is told whom to call when rules were taken away. Until `Node.spec.podCIDR` is there the
    runtime has no network, and the node says so (NetworkPluginNotReady), as upstream's does. A node given
    another range than before ends the pods that have addresses of the former; they start again with new
    ones.
    """

    def __init__(
        self,
        config: NodePartsConfig,
        clients: NodeClients,
        runtime: Runtime,
        land: Callable[[Callable[[], None]], Land],
        backend: Backend,
        clock: Clock,
        random: Random,
        host: Host | None = None,
    ) -> None:
        name = config.kubelet.node_name
        self.kubelet = Kubelet(config.kubelet, clients.kubelet, runtime, clock, _own(random), host)
        self.proxy = Proxy(clients.proxy, backend, name, clock)
        self.server = (
            KubeletServer(
                runtime,
                self.kubelet.pods,
                config.server,
                clock,
                self.kubelet.about(),
                ApiReviews(clients.kubelet, name, clock),
            )
            if config.server
            else None
        )
        self.dns = ServedDns(clients.dns, config.dns, name, clock) if config.dns else None
        self.land = land(self.proxy.rules_removed)
        self._runtime = runtime
        self._given = self._standing = ""
        self._tasks = Tasks("node")
        self._failed: asyncio.Future[None] = asyncio.Future()
        """Why the network could not be laid at the first try."""
        self._own_node = OwnNode(clients.kubelet, name, clock, _own(random), self._range_given)
        self._laying = Repeater(
            "laying the pods' network",
            self._lay,
            self._tasks,
            clock,
            longest_s=LONGEST_RETRY_S,
            expected=(NetworkFailure, RuntimeFailure, TimeoutError, OSError),
        )

    async def listen(self) -> None:
        """Let the kubelet's server listen, if there is one. Raises OSError."""
        if self.server is not None:
            await self.server.start()

    def reload_certificate(self) -> None:
        """Show the certificate the kubelet's server has on disk now."""
        if self.server is not None:
            self.server.reload_certificate()

    async def prepare(self) -> None:
        """Have the network there that was there before, whatever the API server says of it later.

        The runtime need not run yet. Raises NetworkFailure, OSError.
        """
        known = self.land.laid()
        if known:
            await self.land.lay(known)
            self._standing = known

    async def start(self) -> None:
        """Start everything; returns once the node is Ready and the services' rules stand.

        Raises NetworkFailure when the network cannot be laid, and what `Kubelet.start` raises.
        """
        if self._standing:
            await self.land.until_seen()
        await self.kubelet.start()
        if self.dns is not None:
            self.dns.start()
        await asyncio.gather(self.proxy.start(), self._own_node.start())
        ready = asyncio.ensure_future(self._own_node.ready.wait())
        try:
            await asyncio.wait((ready, self._failed), return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                self._failed.result()
        finally:
            ready.cancel()

    async def close(self) -> None:
        """Stop in the reverse order; containers, network and rules stay."""
        await self._own_node.close()
        await self._laying.close()
        await self._tasks.close()
        await self.land.close()
        await self.proxy.close()
        if self.dns is not None:
            await self.dns.close()
        if self.server is not None:
            await self.server.close()
        await self.kubelet.close()

    def _range_given(self, pod_cidr: str) -> None:
        self._given = pod_cidr
        self._laying.hurry()

    async def _lay(self) -> None:
        """Have the network be there for the range given last."""
        given, before = self._given, self.land.laid()
        if given == self._standing:
            return
        log.info("pods of this node have addresses of %s", given)
        if before not in ("", given):
            log.warning("they had addresses of %s: pods with one of these start again", before)
            await self._end_pods_outside(given)
        try:
            await self.land.lay(given)
        except NetworkFailure as error:
            if not self._own_node.ready.is_set() and not self._failed.done():
                self._failed.set_exception(error)
            raise
        await self.land.until_seen()
        self._standing = given
        self.kubelet.network_changed()

    async def _end_pods_outside(self, pod_cidr: str) -> None:
        """End the sandboxes that have addresses of another range; their workers make new ones."""
        network = ip_network(pod_cidr)
        for sandbox in await self._runtime.sandboxes():
            if sandbox.ready and any(ip_address(ip) not in network for ip in sandbox.ips):
                await self._runtime.stop_sandbox(sandbox.id)


def _own(random: Random) -> Random:
    """A source of random choices of one part's own."""
    return Random(random.getrandbits(64))  # noqa: S311 - spreads retries, guards nothing
