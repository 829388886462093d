"""The cluster's DNS as a node serves it: `ServedDns`, at an address of its own, for its pods and itself."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

from wherry.client.api import Client
from wherry.dns.dns import ClusterDns
from wherry.dns.node_resolver import NodeResolver
from wherry.dns.pages import Pages
from wherry.dns.server import Listener
from wherry.kit.clock import Clock
from wherry.kit.httpd.server import Server
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks

log = logging.getLogger(__name__)

PORT = 53
PAGES_PORT = 9153
FIB_TRIE, IF_INET6 = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")
KNOWN_S = 30.0
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

    def __init__(self, ranges: tuple[str, ...], clock: Clock) -> None:
        self._ranges = [ip_network(text) for text in ranges]
        self._clock = clock
        self._known: dict[str, bool] = {}
        self._until = 0.0

    def __call__(self, address: str) -> bool:
        """Whether the address may ask."""
        now = self._clock.monotonic()
        if now >= self._until or len(self._known) >= MOST_KNOWN:
            self._known.clear()  # the machine has others by and by
            self._until = now + KNOWN_S
        known = self._known.get(address)
        if known is None:
            found = ip_address(address)
            known = any(found in network for network in self._ranges) or is_own(address)
            self._known[address] = known
        return known


def is_own(address: str) -> bool:
    """Whether the address is one of this machine's (proc(5), /proc/net)."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        return found.packed.hex() in IF_INET6.read_text().split()
    return re.search(rf"-- {re.escape(str(found))}\n +/32 host LOCAL\n", FIB_TRIE.read_text()) is not None


class ServedDns:
    """Listens, and follows the API server: what fails of either is tried again, nothing waits for it."""

    def __init__(self, client: Client, config: DnsConfig, node_name: str, clock: Clock) -> None:
        self._config = config
        self._tasks = Tasks("dns")
        self.dns = ClusterDns(
            client, clock, config.domain, config.address, NodeResolver(config.resolv_conf), node_name
        )
        self._listener = Listener(self.dns, Clients(config.clients, clock))
        self._pages = Server(Pages(self.dns).answer)
        self._is_listening = False
        self.shows_pages = False
        """Whether its pages are shown."""
        self._starting = Repeater("serving names", self._serve, self._tasks, clock, expected=(OSError,))

    def start(self) -> None:
        """Begin; it is ready when `dns.is_ready`."""
        self._starting.poke()

    async def listen(self) -> None:
        """Listen; what is asked before names are known is answered by a failure. Raises OSError."""
        if not self._is_listening:
            await self._listener.start(self._config.address, self._config.port)
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
        if self._config.pages_port and not self.shows_pages:  # last: nobody's names wait for them
            await self._pages.start(self._config.address, self._config.pages_port, freebind=True)
            self.shows_pages = True
