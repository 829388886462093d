"""Names that are others' to know: `Others` asks whom the Corefile names for them, else whom the node asks."""

from __future__ import annotations

from wherry.dns.answers import Remembered
from wherry.dns.corefile import Corefile
from wherry.dns.forward import Forwarder, Unanswered
from wherry.dns.node_resolver import NodeResolver
from wherry.dns.wire import CD, Code, Malformed, Query, Record, Type, ancestors, data_of, without_opt
from wherry.kit.clock import Clock

ROOT = b"\x00"
ADDRESSES = (Type.A, Type.AAAA)


class Others:
    """Answers of other servers. Nobody asks at `address`, which is our own."""

    def __init__(self, node: NodeResolver, address: str, clock: Clock) -> None:
        self._node = node
        self._address = address
        self._clock = clock
        self._corefile = Corefile()
        self._remembered = Remembered(clock)
        self._forwarders: dict[bytes, Forwarder] = {}
        self.hits = self.misses = 0

    def go_by(self, corefile: Corefile) -> None:
        """From now on those it names are asked; what the others said is asked of them anew."""
        self._corefile = corefile
        self._remembered = Remembered(self._clock)
        self._forwarders.clear()  # what is under way there comes to its end

    async def close(self) -> None:
        """Give up what is under way."""
        for forwarder in self._forwarders.values():
            await forwarder.close()

    def known(self, query: Query) -> bytes | None:
        """What was answered lately, None where that is not known."""
        found = self._remembered.get(_key(query))
        self.hits += found is not None
        return found

    async def ask(self, query: Query) -> bytes:
        """The answer, without OPT records, as it was given lately or is given now. Raises Unanswered."""
        known = self.known(query)
        if known is not None:
            return known
        self.misses += 1
        message = await self._forwarder(query.name).ask(query)
        try:
            message = without_opt(message)
            self._remembered.put(_key(query), message)
        except Malformed as error:
            raise Unanswered(f"an answer that cannot be read: {error}") from error
        return message

    async def addresses(self, query: Query, name: bytes) -> tuple[int, list[bytes]]:
        """How `name` is answered in place of the question's own, and its addresses. Raises Unanswered."""
        key = name + query.key[-4:]
        message = await self.ask(Query(0, query.flags, key, key))
        listed = data_of(message, query.kind) if query.kind in ADDRESSES else []
        code = message[3] & 0xF
        return Code(code) if code in Code.__members__.values() else Code.SERVFAIL, [
            Record(query.kind, ttl, data, name).to_wire() for ttl, data in listed
        ]

    def _forwarder(self, name: bytes) -> Forwarder:
        """Who is asked about a name: the servers of the longest domain it is in."""
        named = self._corefile.forwards
        domain = next((one for one in (name, *ancestors(name)) if one in named), ROOT)
        servers = named.get(domain)
        if servers is None:
            servers = tuple(one for one in self._node.servers() if one.host != self._address)
        forwarder = self._forwarders.get(domain)
        if forwarder is None or forwarder.servers != servers:
            forwarder = self._forwarders[domain] = Forwarder(servers, self._clock)
        return forwarder


def _key(query: Query) -> tuple[bytes, int]:
    return query.key, (query.flags & CD) | query.is_dnssec
