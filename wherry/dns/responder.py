"""How a question about the cluster's own names is answered: `Responder`, over a `Zone`. Pure but for its
memory.

Answers are remembered until the zone changes: the next who asks the same costs a look into a dictionary.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, ip_address

from wherry.dns.wire import (
    Answer,
    Code,
    Query,
    Record,
    Type,
    is_below,
    labels_of_name,
    name_of_labels,
    name_of_text,
)
from wherry.dns.zone import Zone

VERSION = "1.1.0"
"""Of the specification (its 2.1)."""
MOST_REMEMBERED = 16384
LONGEST_CHAIN = 8
"""Names that are others' are followed so far (CoreDNS, plugin/pkg/upstream)."""
REFRESH_S, RETRY_S, EXPIRE_S = 7200, 1800, 86400


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Not for this server alone: `target` is to be looked up elsewhere, and its records put after `records`.

    A target of b"" is the question itself.
    """

    target: bytes = b""
    records: tuple[bytes, ...] = ()


class Responder:
    """Answers from a zone.

    `domain` is the cluster's, `address` where this server is known at, "" for nowhere; records last `ttl_s`
    seconds.
    """

    def __init__(self, zone: Zone, domain: str, address: str, ttl_s: int) -> None:
        self._zone = zone
        self._apex = name_of_text(domain)
        self._services = name_of_text(f"svc.{domain}")
        self._pods = name_of_text(f"pod.{domain}")
        self._ttl_s = ttl_s
        self._serial = 1
        self._server = name_of_text(f"ns.dns.{domain}")
        self._fixed: dict[bytes, Mapping[int, Iterable[bytes]]] = {
            self._apex: {Type.NS: [self._server]},
            name_of_text(f"dns-version.{domain}"): {Type.TXT: [_text(VERSION)]},
        }
        if address:
            packed = ip_address(address).packed
            self._fixed[self._server] = {Type.A if len(packed) == 4 else Type.AAAA: [packed]}
        self._there = {self._services, self._pods, name_of_text(f"dns.{domain}")}
        """Names that exist though nobody may have one below them."""
        self._remembered: dict[bytes, Answer | Elsewhere] = {}

    def changed(self) -> None:
        """The zone is another than before."""
        self._serial += 1
        self._remembered.clear()

    def answer(self, query: Query) -> Answer | Elsewhere:
        """What is answered, or who else is to be asked."""
        found = self._remembered.get(query.key)
        if found is None:
            found = self._find(query)
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[query.key] = found
        if isinstance(found, Answer) and len(found.records) > 1:
            return _turned(found)
        return found

    def _find(self, query: Query) -> Answer | Elsewhere:
        if not query.is_internet:
            return Elsewhere()
        name, kind = query.name, query.kind
        if not is_below(name, self._apex):
            records = self._zone.records(name)  # a reverse name, or a host of the Corefile
            if records:
                return self._of(records[kind], kind) if kind in records else self._empty(Code.NOERROR)
            return Elsewhere()
        if name == self._apex and kind == Type.SOA:
            return Answer(records=(self._soa(),))
        kinds = self._kinds(name)
        if Type.CNAME in kinds and kind != Type.CNAME:
            return self._followed(next(iter(kinds[Type.CNAME])), kind)
        if kind in kinds:
            return self._of(kinds[kind], kind)
        return self._empty(Code.NOERROR if kinds or self._exists(name) else Code.NXDOMAIN)

    def _kinds(self, name: bytes) -> Mapping[int, Iterable[bytes]]:
        """The data at a name of the domain, by type."""
        return self._fixed.get(name) or self._zone.records(name) or self._pod(name)

    def _exists(self, name: bytes) -> bool:
        return self._zone.exists(name) or name in self._there

    def _of(self, data: Iterable[bytes], kind: int) -> Answer:
        """The records of one type; whom SRV records lead to is added with its addresses."""
        records = tuple(Record(kind, self._ttl_s, each).to_wire() for each in data)
        additional: tuple[bytes, ...] = ()
        if kind == Type.SRV:
            targets = dict.fromkeys(each[6:] for each in data)
            additional = tuple(record for target in targets for record in self._addresses(target))
        return Answer(records=records, additional=additional)

    def _addresses(self, name: bytes) -> list[bytes]:
        kinds = self._zone.records(name)
        return [
            Record(kind, self._ttl_s, data, name).to_wire()
            for kind in (Type.A, Type.AAAA)
            for data in kinds.get(kind, ())
        ]

    def _followed(self, target: bytes, kind: int) -> Answer | Elsewhere:
        """A name that is another's: where that leads, step by step; what is not ours is looked up."""
        records = [Record(Type.CNAME, self._ttl_s, target).to_wire()]
        while len(records) < LONGEST_CHAIN:
            kinds = self._kinds(target) if is_below(target, self._apex) else self._zone.records(target)
            if not kinds and not is_below(target, self._apex):
                return Elsewhere(target, tuple(records))
            if Type.CNAME not in kinds:
                data = kinds.get(kind, ())
                found = [Record(kind, self._ttl_s, each, target).to_wire() for each in data]
                code = Code.NOERROR if kinds or self._exists(target) else Code.NXDOMAIN
                authority = () if found else (self._soa(self._apex),)
                return Answer(code, (*records, *found), authority, aliases=len(records))
            (further, *_) = kinds[Type.CNAME]
            records.append(Record(Type.CNAME, self._ttl_s, further, target).to_wire())
            target = further
        return Answer(Code.SERVFAIL, is_authoritative=False)  # they go round in a circle

    def _pod(self, name: bytes) -> dict[int, list[bytes]]:
        """The record of a pod's address, which is in its name, in a namespace that exists (2.6)."""
        if not is_below(name, self._pods):
            return {}
        labels = labels_of_name(name[: -len(self._pods)] + b"\x00")
        if len(labels) != 2 or not self._zone.exists(name_of_labels([labels[1]])[:-1] + self._services):
            return {}
        try:
            address = IPv4Address(labels[0].decode("ascii", "replace").replace("-", "."))
        except AddressValueError:
            return {}
        return {Type.A: [address.packed]}

    def _empty(self, code: int) -> Answer:
        return Answer(code=code, authority=(self._soa(self._apex),))

    def _soa(self, owner: bytes = b"") -> bytes:
        times = struct.pack("!5I", self._serial, REFRESH_S, RETRY_S, EXPIRE_S, self._ttl_s)
        hostmaster = name_of_labels([b"hostmaster"])[:-1] + self._apex
        return Record(Type.SOA, self._ttl_s, self._server + hostmaster + times, owner).to_wire()


def _text(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()


def _turned(answer: Answer) -> Answer:
    """The same with its records in another order, so that not everybody goes to the first."""
    aliases, records = answer.records[: answer.aliases], answer.records[answer.aliases :]
    turn = random.randrange(len(records)) if records else 0  # noqa: S311 - spreads load, guards nothing
    return replace(answer, records=(*aliases, *records[turn:], *records[:turn]))
