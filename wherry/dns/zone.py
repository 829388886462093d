"""The names this server knows itself: `Zone`, filled owner by owner, asked by name and type.

A name that has nothing but names below it exists (RFC 8020): it is answered with no records, not with
NXDOMAIN, which would deny those below as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.dns.wire import ancestors


@dataclass(frozen=True, slots=True)
class Fact:
    """One record of an owner. A `kind` of 0 says that the name exists, no more."""

    name: bytes
    kind: int = 0
    data: bytes = b""


class Zone:
    """Records by name and type. Several owners may have the same one: it stays as long as one has it."""

    def __init__(self) -> None:
        self._facts: dict[str, frozenset[Fact]] = {}
        self._records: dict[bytes, dict[int, Counter[bytes]]] = {}
        self._below: Counter[bytes] = Counter()
        """How many records there are at each name and below it."""

    def put(self, owner: str, facts: Iterable[Fact]) -> None:
        """Have `owner` stand for these records, and no others any more."""
        for _ in self.change(owner, facts):
            pass

    def change(self, owner: str, facts: Iterable[Fact]) -> Iterator[None]:
        """The same record by record, so that others may go on in between: a Service may have thousands."""
        before, after = self._facts.get(owner, frozenset()), set[Fact]()
        for fact in facts:
            after.add(fact)
            yield
        for fact in before - after:
            self._remove(fact)
            yield
        for fact in after - before:
            self._add(fact)
            yield
        self._facts[owner] = frozenset(after)
        if not after:
            del self._facts[owner]

    def records(self, name: bytes) -> Mapping[int, Iterable[bytes]]:
        """The data of the records at a name, by type."""
        return self._records.get(name, {})

    def exists(self, name: bytes) -> bool:
        """Whether there is anything at the name or below it."""
        return name in self._below

    def _add(self, fact: Fact) -> None:
        self._below[fact.name] += 1
        for parent in ancestors(fact.name):
            self._below[parent] += 1
        if fact.kind:
            kinds = self._records.setdefault(fact.name, {})
            kinds.setdefault(fact.kind, Counter())[fact.data] += 1

    def _remove(self, fact: Fact) -> None:
        for name in (fact.name, *ancestors(fact.name)):
            self._below[name] -= 1
            if not self._below[name]:
                del self._below[name]
        if not fact.kind:
            return
        kinds = self._records[fact.name]
        kinds[fact.kind][fact.data] -= 1
        if not kinds[fact.kind][fact.data]:
            del kinds[fact.kind][fact.data]
        if not kinds[fact.kind]:
            del kinds[fact.kind]
        if not kinds:
            del self._records[fact.name]
