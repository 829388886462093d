"""The cluster's DNS: `ClusterDns` follows Services, slices and namespaces, and answers from what it knows.

What others know is asked of them: of the servers a Corefile names for their domains, else of the node's own.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from ipaddress import ip_address
from time import perf_counter
from typing import Any

from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.namespaces import NAMESPACES
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.client.api import Client
from wherry.client.cache import Cache
from wherry.dns.corefile import Corefile, read_corefile
from wherry.dns.figures import Figures
from wherry.dns.forward import MOST_AT_ONCE, Unanswered
from wherry.dns.node_resolver import NodeResolver
from wherry.dns.others import Others
from wherry.dns.responder import Elsewhere, Responder
from wherry.dns.server import Reply
from wherry.dns.service_records import reverse_name, service_facts
from wherry.dns.wire import (
    AT_QUESTION,
    LARGEST_MESSAGE,
    LONGEST_NAME,
    OPCODE,
    Answer,
    Code,
    Malformed,
    Query,
    Record,
    Type,
    is_below,
    name_of_text,
    read_query,
    text_of_name,
    write_answer,
    write_error,
    write_relayed,
)
from wherry.dns.zone import Fact, Zone
from wherry.kit.clock import Clock
from wherry.kit.metrics import Metric
from wherry.kit.portions import Portions, Work
from wherry.kit.repeat import Repeater
from wherry.kit.tasks import Tasks
from wherry.objects.meta import Object, labels_of, name_of, namespace_of

log = logging.getLogger(__name__)

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
BY_SERVICE = "service"
SYSTEM, COREFILE, COREFILE_KEY = "kube-system", "coredns", "Corefile"
BY_ADDRESS = "address"
MOST_WAITING = MOST_AT_ONCE
"""Questions that wait for other servers."""
QUIET_S = 10.0
"""Between two lines of the log that say that others do not answer."""
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
        self._others = Others(node, address, clock)
        self._quiet_until = 0.0
        self._changed: set[str] = set()
        self._has_listed = False
        self._all_named = asyncio.Event()
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
        self._has_listed = True
        self._updating.poke()
        await self._all_named.wait()
        self._is_ready = True

    async def close(self) -> None:
        """End."""
        await self._updating.close()
        await self._tasks.close()
        await self._others.close()
        await self._cache.close()

    @property
    def is_ready(self) -> bool:
        """Whether all names are known."""
        return self._is_ready

    @property
    def waiting(self) -> int:
        """How many questions wait for other servers."""
        return self._waiting.total()

    def metrics(self) -> Iterator[Metric]:
        """What is measured, as Prometheus reads it."""
        return self.figures.metrics(self._others.hits, self._others.misses)

    def handle(self, data: bytes, source: str, reply: Reply, *, is_stream: bool) -> None:
        """See `server.Handler`."""
        began = perf_counter()
        longest = LARGEST_MESSAGE if is_stream else 0
        try:
            query = read_query(data)
        except Malformed:
            reply(write_error(data, Code.FORMERR))
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

        known = None if found.target else self._others.known(query)
        if known is not None:
            relay(write_relayed(query, known, longest=longest))
            return
        self._begin(self._elsewhere(query, found, relay, longest), query, source, reply)

    def _begin(self, work: Coroutine[Any, Any, None], query: Query, source: str, reply: Reply) -> None:
        """Answer later. Each client may have half of what all others leave: however many have questions under
        way, there is room for one more; whoever has his share is refused.
        """
        own = self._waiting[source]
        if own >= max(1, (MOST_WAITING - self.waiting + own) // 2):
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
        try:
            if not found.target:
                relay(write_relayed(query, await self._others.ask(query), longest=longest))
                return
            code, records = await self._others.addresses(query, found.target)
        except Unanswered as error:
            self.figures.failures += 1
            self._say_unanswered(query, error)
            relay(write_answer(query, FAILED))
            return
        answer = Answer(code, (*found.records, *records), is_authoritative=False, aliases=len(found.records))
        relay(write_answer(query, answer, longest=longest))

    def _say_unanswered(self, query: Query, error: Unanswered) -> None:
        """In the log, once in a while: whoever asks much is not to fill it."""
        now = self._clock.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_S
            log.warning("%s is not answered, others may not be: %s", text_of_name(query.name), error)

    async def _search(self, query: Query, nothing: Answer, source: str, reply: Reply, longest: int) -> None:
        """Go on in the client's search path, so that it need not ask again; `nothing` is there so far.

        Source: CoreDNS, plugin/autopath: the first name that exists is the answer, as an alias.
        """
        answer = nothing
        for name in self._further(query.name, self._namespace_at(source)):
            records = await self._named(query, name)
            if records is not None:
                alias = Record(Type.CNAME, self._corefile.ttl_s, name).to_wire()
                answer = Answer(records=(alias, *records), aliases=1)
                break
        reply(write_answer(query, answer, longest=longest))

    def _further(self, name: bytes, namespace: str) -> Iterator[bytes]:
        """What a pod of the namespace asks next, when there is no such name."""
        first = name_of_text(f"{namespace}.svc.{self._domain}") if namespace else b""
        if not first or not is_below(name, first):
            return
        for suffix in (f"svc.{self._domain}", self._domain, *self._node.searches(), ""):
            try:
                found = name[: -len(first)] + name_of_text(suffix)
            except ValueError:
                continue  # of the node's resolv.conf
            if len(found) <= LONGEST_NAME:
                yield found

    async def _named(self, query: Query, name: bytes) -> list[bytes] | None:
        """The records of a name, each with its owner; None where it does not exist or nobody answers."""
        key = name + query.key[-4:]
        found = self._responder.answer(Query(0, query.flags, key, key))
        if isinstance(found, Answer):
            code, records = found.code, list(found.records)
        else:
            try:
                code, records = await self._others.addresses(query, found.target or name)
            except Unanswered:
                return None
            records = [*found.records, *records]
        if code != Code.NOERROR:
            return None
        return [name + one[len(AT_QUESTION) :] if one.startswith(AT_QUESTION) else one for one in records]

    def _namespace_at(self, address: str) -> str:
        """The namespace of the pod that has the address, "" if it is none of this node's."""
        if not self._node_name or not self._cache.synced(PODS):
            return ""
        pods = self._cache.by_index(PODS, BY_ADDRESS, address)
        return namespace_of(pods[0]) if pods else ""

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
            hosts = list(_host_facts(read))
        except ValueError as error:
            log.warning("configmap %s/%s: %s: what it said before holds", SYSTEM, COREFILE, error)
            return
        for line in read.unsupported:
            log.warning("configmap %s/%s: %s: not supported, has no effect", SYSTEM, COREFILE, line)
        if read.ttl_s != self._corefile.ttl_s:
            self._responder = Responder(self._zone, self._domain, self._address, read.ttl_s)
        self._corefile = read
        self._others.go_by(read)
        if read.has_autopath and self._node_name and PODS not in self._cache.resources:
            self._cache.add(PODS, field_selector=f"spec.nodeName={self._node_name}")
            self._cache.add_index(PODS, BY_ADDRESS, _address)
        self._put("hosts", hosts)

    def _put(self, owner: str, facts: Iterable[Fact]) -> None:
        self._zone.put(owner, facts)
        self._responder.changed()

    async def _update(self) -> None:
        """Bring the names of the changed Services up to date."""
        portions = Portions(Work.NODE)
        while self._changed:
            key = self._changed.pop()
            try:
                for _ in self._zone.change(f"service {key}", self._facts(key)):
                    await portions.next()
            except Exception:
                log.exception("service %s cannot be named", key)
                self._zone.put(f"service {key}", ())
            self._responder.changed()
        if self._has_listed:
            self._all_named.set()

    def _facts(self, key: str) -> Iterator[Fact]:
        service = self._cache.get(SERVICES, key)
        if service is not None:
            slices = self._cache.by_index(ENDPOINT_SLICES, BY_SERVICE, key)
            yield from service_facts(service, slices, self._domain)


def _service_key(service: Object) -> str:
    return f"{namespace_of(service)}/{name_of(service)}"


def _owners(endpoint_slice: Object) -> tuple[str, ...]:
    owner = labels_of(endpoint_slice).get(SERVICE_NAME_LABEL)
    return (f"{namespace_of(endpoint_slice)}/{owner}",) if owner else ()


def _host_facts(corefile: Corefile) -> Iterator[Fact]:
    for name, addresses in corefile.hosts.items():
        owner = name_of_text(name)
        for address in addresses:
            packed = ip_address(address).packed
            yield Fact(owner, Type.A if len(packed) == 4 else Type.AAAA, packed)
            yield Fact(reverse_name(address), Type.PTR, owner)


def _address(pod: Object) -> tuple[str, ...]:
    if (pod.get("spec") or {}).get("hostNetwork"):
        return ()
    status = pod.get("status") or {}
    return (status["podIP"],) if status.get("podIP") and status.get("phase") == "Running" else ()
