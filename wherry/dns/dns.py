"""The cluster's DNS: `ClusterDns` follows Services, slices and namespaces, and answers from what it knows.

What others know is asked of them: of the servers a Corefile names for their domains, else of the node's own.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from time import perf_counter
from typing import Any

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.dns.answers import Remembered
from wherry.dns.corefile import Corefile, CorefileError, read_corefile
from wherry.dns.figures import Figures
from wherry.dns.forward import Forwarder, Unanswered, Upstream
from wherry.dns.responder import Elsewhere, Responder
from wherry.dns.server import Reply
from wherry.dns.service_records import reverse_name, service_facts
from wherry.dns.wire import (
    AT_QUESTION,
    CD,
    LARGEST_MESSAGE,
    LONGEST_NAME,
    OPCODE,
    Answer,
    Code,
    Malformed,
    Query,
    Record,
    Type,
    ancestors,
    data_of,
    name_of_text,
    read_query,
    text_of_name,
    without_opt,
    write_answer,
    write_error,
    write_relayed,
)
from wherry.dns.zone import Fact, Zone
from wherry.kit.clock import Clock
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.network.resolv_conf import Resolver, parse_resolv_conf
from wherry.objects.meta import Object, labels_of, name_of, namespace_of

log = logging.getLogger(__name__)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
BY_SERVICE = "service"
SYSTEM, COREFILE, COREFILE_KEY = "kube-system", "coredns", "Corefile"
ROOT = b"\x00"
BY_ADDRESS = "address"
ADDRESSES = (Type.A, Type.AAAA)
LOOK_EVERY_S = 5.0
"""How often it is looked whether the node's resolvers are others."""
MOST_WAITING, MOST_PER_CLIENT = 4000, 500
"""Questions that wait for other servers, of all clients and of one."""
REFUSED = Answer(code=Code.REFUSED, is_authoritative=False)
FAILED = Answer(code=Code.SERVFAIL, is_authoritative=False)


class ClusterDns:
    """Names of a cluster whose domain is `domain`. It is known at `address`, "" for nowhere.

    `node` is whom the node itself asks. Search paths are finished here for pods of the node `node_name`,
    where the Corefile asks for that.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        domain: str,
        address: str,
        node: NodeResolver,
        node_name: str = "",
    ) -> None:
        self._clock = clock
        self._domain = domain
        self._address = address
        self._node = node
        self._node_name = node_name
        self._cache = Cache(client, clock)
        self._tasks = Tasks("dns")
        self._zone = Zone()
        self._corefile = Corefile()
        self._responder = Responder(self._zone, domain, address, self._corefile.ttl_s)
        self._remembered = Remembered(clock)
        self._forwarders: dict[bytes, Forwarder] = {}
        self._look_at = 0.0
        self._changed: set[str] = set()
        self._is_ready = False
        self._waiting: Counter[str] = Counter()
        """Questions under way, by the client's address."""
        self.figures = Figures()
        self._updating = Repeater("updating names", self._update, self._tasks, clock)

    async def start(self) -> None:
        """Begin; returns when all names are known."""
        self._cache.add_index(ENDPOINT_SLICES, BY_SERVICE, _owners)
        self._cache.on(SERVICES, self._service_changed)
        self._cache.on(ENDPOINT_SLICES, self._slice_changed)
        self._cache.on(NAMESPACES, self._namespace_changed)
        self._cache.add(CONFIG_MAPS, namespace=SYSTEM, field_selector=f"metadata.name={COREFILE}")
        self._cache.on(CONFIG_MAPS, self._corefile_changed)
        await self._cache.start()
        self._updating.poke()
        await self._updating.succeeded.wait()
        self._is_ready = True

    async def close(self) -> None:
        """End."""
        await self._updating.close()
        await self._tasks.close()
        for forwarder in self._forwarders.values():
            await forwarder.close()
        await self._cache.close()

    @property
    def is_ready(self) -> bool:
        """Whether all names are known."""
        return self._is_ready

    @property
    def waiting(self) -> int:
        """How many questions wait for other servers."""
        return self._waiting.total()

    def handle(self, data: bytes, source: str, reply: Reply, *, is_stream: bool) -> None:
        """See `server.Handler`."""
        began = perf_counter()
        longest = LARGEST_MESSAGE if is_stream else 0
        try:
            query = read_query(data)
        except Malformed:
            answer = write_error(data, Code.FORMERR)
            if answer:
                reply(answer)
            return
        if query.flags & OPCODE:
            reply(write_answer(query, Answer(code=Code.NOTIMP, is_authoritative=False)))
            return
        found = self._responder.answer(query) if self._is_ready else FAILED
        if isinstance(found, Answer):
            if found.code == Code.NXDOMAIN and self._corefile.has_autopath:
                self._begin(self._search(query, found, source, reply, longest), query, source, reply)
                return
            reply(write_answer(query, found, longest=longest))
            self.figures.answered(self._domain, query.kind, found.code, began, is_stream=is_stream)
            return

        def relay(message: bytes) -> None:
            reply(message)
            self.figures.answered(".", query.kind, message[3] & 0xF, began, is_stream=is_stream)

        known = None if found.target else self._remembered.get(_key(query))
        if known is not None:
            self.figures.hits += 1
            relay(write_relayed(query, known, longest=longest))
            return
        self._begin(self._elsewhere(query, found, relay, longest), query, source, reply)

    def _begin(self, work: Coroutine[Any, Any, None], query: Query, source: str, reply: Reply) -> None:
        """Answer later; whoever has too many questions under way already is refused."""
        if len(self._tasks) >= MOST_WAITING or self._waiting[source] >= MOST_PER_CLIENT:
            work.close()
            reply(write_answer(query, REFUSED))
            return
        self._waiting[source] += 1
        self._tasks.spawn(work, "a question").add_done_callback(lambda _: self._done(source))

    def _done(self, source: str) -> None:
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    async def _elsewhere(self, query: Query, found: Elsewhere, relay: Reply, longest: int) -> None:
        """Answer with what others know."""
        asked = query
        if found.target:
            key = found.target + query.key[-4:]
            asked = Query(0, query.flags, key, key)
        try:
            message = await self._ask(asked)
        except Unanswered as error:
            self.figures.failures += 1
            log.warning("names of others are not answered: %s", error)
            log.debug("%s: not answered", text_of_name(asked.name))
            relay(write_answer(query, Answer(Code.SERVFAIL, found.records, is_authoritative=False)))
            return
        if not found.target:
            relay(write_relayed(query, message, longest=longest))
            return
        records = (
            [
                Record(query.kind, ttl, data, found.target).to_wire()
                for ttl, data in data_of(message, query.kind)
            ]
            if query.kind in ADDRESSES
            else []
        )
        relay(write_answer(query, Answer(records=(*found.records, *records)), longest=longest))

    async def _search(self, query: Query, nothing: Answer, source: str, reply: Reply, longest: int) -> None:
        """Go on in the client's search path, so that it need not ask again; `nothing` is what there is so
        far.

        Source: CoreDNS, plugin/autopath: the first name that exists is the answer, as an alias.
        """
        namespace = self._namespace_at(source)
        first = name_of_text(f"{namespace}.svc.{self._domain}") if namespace else b""
        if not first or not query.name.endswith(first):
            reply(write_answer(query, nothing, longest=longest))
            return
        base, last = query.name[: -len(first)], query.key[-4:]
        rest = [f"svc.{self._domain}", self._domain, *self._node.searches(), ""]
        for suffix in map(name_of_text, rest):
            name = base + suffix
            if len(name) > LONGEST_NAME:
                continue
            records = await self._named(Query(0, query.flags, name + last, name + last))
            if records is not None:
                alias = Record(Type.CNAME, self._corefile.ttl_s, name).to_wire()
                reply(write_answer(query, Answer(records=(alias, *records)), longest=longest))
                return
        reply(write_answer(query, nothing, longest=longest))

    async def _named(self, query: Query) -> list[bytes] | None:
        """The records of a name, each with the name in it; None where it does not exist or nobody answers."""
        found = self._responder.answer(query)
        if isinstance(found, Answer):
            owned = [query.name + record.removeprefix(AT_QUESTION) for record in found.records]
            return owned if found.code == Code.NOERROR else None
        try:
            message = await self._ask(query)
        except Unanswered:
            return None
        if message[3] & 0xF != Code.NOERROR:
            return None
        listed = data_of(message, query.kind) if query.kind in ADDRESSES else []
        return [Record(query.kind, ttl, data, query.name).to_wire() for ttl, data in listed]

    def _namespace_at(self, address: str) -> str:
        """The namespace of the pod that has the address, "" if it is none of this node's."""
        if not self._node_name or not self._cache.synced(PODS):
            return ""
        pods = self._cache.by_index(PODS, BY_ADDRESS, address)
        return namespace_of(pods[0]) if pods else ""

    async def _ask(self, query: Query) -> bytes:
        """Another server's answer, remembered or new. Raises Unanswered."""
        key = _key(query)
        known = self._remembered.get(key)
        if known is not None:
            return known
        self.figures.misses += 1
        message = await self._forwarder(query.name).ask(query)
        try:
            message = without_opt(message)
            self._remembered.put(key, message)
        except Malformed as error:
            raise Unanswered(f"an answer that cannot be read: {error}") from error
        return message

    def _forwarder(self, name: bytes) -> Forwarder:
        """Who is asked about a name: the servers of the longest domain it is in."""
        for domain in (name, *ancestors(name)):
            if domain != ROOT and domain in self._corefile.forwards:
                return self._to(domain, self._corefile.forwards[domain])
        return self._to(ROOT, self._corefile.forwards.get(ROOT, ()))

    def _to(self, domain: bytes, servers: Sequence[Upstream]) -> Forwarder:
        forwarder = self._forwarders.get(domain)
        now = self._clock.monotonic()
        if not servers and (forwarder is None or now >= self._look_at):
            self._look_at = now + LOOK_EVERY_S
            servers = [server for server in self._node.servers() if server.host != self._address]
        elif forwarder is not None and not servers:
            return forwarder
        if forwarder is None or forwarder.servers != tuple(servers):
            forwarder = self._forwarders[domain] = Forwarder(servers, self._clock)
        return forwarder

    def _service_changed(self, old: Object | None, new: Object | None) -> None:
        self._mark(_service_key(found) for found in (old, new) if found is not None)

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        self._mark(owner for found in (old, new) if found is not None for owner in _owners(found))

    def _mark(self, keys: Iterable[str]) -> None:
        self._changed.update(keys)
        self._updating.poke()

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        found = new or old
        if found is not None:
            name = name_of(found)
            facts = (
                [Fact(name_of_text(f"{name}.{kind}.{self._domain}")) for kind in ("svc", "pod")]
                if new
                else []
            )
            self._put(f"namespace {name}", facts)

    def _corefile_changed(self, old: Object | None, new: Object | None) -> None:
        try:
            read = read_corefile(((new or {}).get("data") or {}).get(COREFILE_KEY, ""), self._domain)
        except CorefileError as error:
            log.warning("configmap %s/%s: %s: what it said before holds", SYSTEM, COREFILE, error)
            return
        for line in read.unsupported:
            log.warning("configmap %s/%s: %s: not supported, has no effect", SYSTEM, COREFILE, line)
        hosts: list[Fact] = []
        for name, addresses in read.hosts.items():
            for address in addresses:
                packed = ip_address(address).packed
                hosts.append(Fact(name_of_text(name), Type.A if len(packed) == 4 else Type.AAAA, packed))
                hosts.append(Fact(reverse_name(address), Type.PTR, name_of_text(name)))
        if read.ttl_s != self._corefile.ttl_s:
            self._responder = Responder(self._zone, self._domain, self._address, read.ttl_s)
        self._corefile = read
        if read.has_autopath and self._node_name and PODS not in self._cache.resources:
            self._cache.add(PODS, field_selector=f"spec.nodeName={self._node_name}")
            self._cache.add_index(PODS, BY_ADDRESS, _address)
        self._remembered = Remembered(self._clock)
        self._put("hosts", hosts)

    def _put(self, owner: str, facts: Iterable[Fact]) -> None:
        if self._zone.put(owner, facts):
            self._responder.changed()

    async def _update(self) -> None:
        """Bring the names of the changed Services up to date."""
        portions = Portions(Work.NODE)
        while self._changed:
            key = self._changed.pop()
            await portions.next()
            try:
                self._put(f"service {key}", self._facts(key))
            except (ValueError, LookupError, TypeError, AttributeError):
                log.exception("service %s cannot be named", key)
                self._put(f"service {key}", ())

    def _facts(self, key: str) -> list[Fact]:
        service = self._cache.get(SERVICES, key)
        if service is None:
            return []
        slices = self._cache.by_index(ENDPOINT_SLICES, BY_SERVICE, key)
        return list(service_facts(service, slices, self._domain))


def _key(query: Query) -> tuple[bytes, int]:
    return query.key, (query.flags & CD) | query.is_dnssec


def _service_key(service: Object) -> str:
    return f"{namespace_of(service)}/{name_of(service)}"


def _owners(endpoint_slice: Object) -> tuple[str, ...]:
    owner = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)
    return (f"{namespace_of(endpoint_slice)}/{owner}",) if owner else ()


def _address(pod: Object) -> tuple[str, ...]:
    if (pod.get("spec") or {}).get("hostNetwork"):
        return ()
    status = pod.get("status") or {}
    return (status["podIP"],) if status.get("podIP") and status.get("phase") == "Running" else ()


class NodeResolver:
    """Whom the node itself asks, and its search path, by its resolv.conf; read again when it is another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._resolver = Resolver()

    def servers(self) -> list[Upstream]:
        """The servers; none where nobody is named."""
        found = []
        for text in self._read().servers:
            try:
                found.append(Upstream(str(ip_address(text.partition("%")[0]))))
            except ValueError:
                log.warning("%s: %r is not an address", self._path, text)
        return found

    def searches(self) -> list[str]:
        """The search path."""
        return [domain for domain in self._read().searches if domain.strip(".")]

    def _read(self) -> Resolver:
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._seen:
                self._resolver = parse_resolv_conf(self._path.read_text(errors="replace"))
                self._seen = seen
        except OSError as error:
            log.warning("%s: %s", self._path, error.strerror)
        return self._resolver
