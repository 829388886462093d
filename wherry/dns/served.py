"""The cluster's DNS as a node serves it: `ServedDns`, at an address of its own, for its pods and itself."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from wherry.client.api import Client
from wherry.dns.dns import ClusterDns, NodeResolver
from wherry.dns.pages import Pages
from wherry.dns.server import Listener
from wherry.kit.clock import Clock
from wherry.kit.httpd.server import Server
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks

log = logging.getLogger(__name__)

PORT = 53
PAGES_PORT = 9153
MOST_KNOWN = 4096
"""Addresses of clients of which is remembered whether they may ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig:
    """What is served: names of `domain`, at `address` and `port`, to `clients` (ranges) and this machine.

    Pages about it are at `pages_port` (0 for nowhere). Who is asked about other names is in `resolv_conf`.
    """

    domain: str
    address: str
    port: int = PORT
    pages_port: int = PAGES_PORT
    clients: tuple[str, ...] = ()
    resolv_conf: Path = Path("/etc/resolv.conf")


class Clients:
    """Who may ask: addresses of some ranges, and this machine's own."""

    def __init__(self, ranges: tuple[str, ...]) -> None:
        self._ranges = [ip_network(text) for text in ranges]
        self._known: dict[str, bool] = {}

    def __call__(self, address: str) -> bool:
        """Whether the address may ask."""
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = ip_address(address)
            known = any(found in network for network in self._ranges) or is_own(address)
            self._known[address] = known
        return known


def is_own(address: str) -> bool:
    """Whether the address is one of this machine's: only to those a socket can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as tried:
        try:
            tried.bind((address, 0))
        except OSError:
            return False
    return True


class ServedDns:
    """Listens, and follows the API server: what fails of either is tried again, nothing waits for it."""

    def __init__(self, client: Client, config: DnsConfig, node_name: str, clock: Clock) -> None:
        self._config = config
        self._tasks = Tasks("dns")
        self.dns = ClusterDns(
            client, clock, config.domain, config.address, NodeResolver(config.resolv_conf), node_name
        )
        self._listener = Listener(self.dns, Clients(config.clients))
        self._pages = Server(Pages(self.dns).answer)
        self._is_listening = False
        self._starting = Repeater("serving names", self._serve, self._tasks, clock, expected=(OSError,))

    def start(self) -> None:
        """Begin; it is ready when `dns.is_ready`."""
        self._starting.poke()

    async def listen(self) -> None:
        """Listen; what is asked before names are known is answered by a failure. Raises OSError."""
        if self._is_listening:
            return
        config = self._config
        await self._listener.start(config.address, config.port)
        if config.pages_port:
            await self._pages.start(config.address, config.pages_port, freebind=True)
        self._is_listening = True

    async def close(self) -> None:
        """End."""
        await self._starting.close()
        await self._tasks.close()
        await self._listener.close()
        await self._pages.close()
        await self.dns.close()

    async def _serve(self) -> None:
        await self.listen()
        if not self.dns.is_ready:
            await self.dns.start()
            log.info("names of %s are served at %s", self._config.domain, self._config.address)
