"""What `nft -f` is given: one transaction that turns what the kernel has into what is wanted. Pure.

Source of the order things must have: nft(8), "INPUT FILE FORMATS"; what is led to must be there before what
leads to it, and go after it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.proxy.backends.nftables_rules import BASE, SHARED, Chains, Declared, Part

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Elements in one line."""

Element = tuple[str, str]
"""(set or map, key)."""


@dataclass(frozen=True, slots=True)
class Found:
    """The names of what stands in the table before it is known."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()


class Claims:
    """Which Services want which elements: where several want one, the first of them by name has its way."""

    def __init__(self) -> None:
        self._by_element: dict[Element, dict[str, str]] = {}

    def change(self, key: str, old: Mapping[Element, str], new: Mapping[Element, str]) -> None:
        """Have the Service `key` want `new` in place of `old`."""
        for element in old.keys() - new.keys():
            claims = self._by_element[element]
            del claims[key]
            if not claims:
                del self._by_element[element]
        for element, value in new.items():
            claims = self._by_element.setdefault(element, {})
            claims[key] = value
            if len(claims) > 1 and len(set(claims.values())) > 1 and old.get(element) != value:
                has, *others = sorted(claims)
                log.warning("%s: %s has it, %s would like to", element[1], has, ", ".join(others))

    def value(self, element: Element) -> str | None:
        """What the element is to be, None if it is not to be there."""
        claims = self._by_element.get(element)
        return claims[min(claims)] if claims else None

    def wanted(self) -> Iterator[tuple[Element, str]]:
        """All elements that are to be there."""
        for element, claims in self._by_element.items():
            yield element, claims[min(claims)]


def whole_text(
    table: str, node: Chains, parts: Mapping[str, Part], claims: Claims, found: Found = Found()
) -> str:
    """Makes everything, whatever was `found`; clients that stick to endpoints go on doing so."""
    chains = node | {name: rules for part in parts.values() for name, rules in part.chains.items()}
    sets = SHARED | {name: declared for part in parts.values() for name, declared in part.sets.items()}
    text = _Text(table)
    text.add(f'add table ip {table} {{ comment "Services, by wherry" ; }}')
    for name in sorted(found.chains):
        text.add(f"flush chain ip {table} {name}")
    # Sets all share are made anew, however an earlier version declared them; who sticks to an endpoint stays.
    kept = sets.keys() - SHARED.keys()
    for kind, names in (("set", found.sets), ("map", found.maps)):
        for name in sorted(names - kept):
            text.add(f"delete {kind} ip {table} {name}")
    # So are the chains packets come in by: where they stand cannot be changed.
    for name in sorted(found.chains):
        if name not in chains or name in BASE:
            text.add(f"delete chain ip {table} {name}")
    text.declare(sets)
    text.declare_chains(chains)
    text.fill(chains)
    text.add_elements(claims.wanted())
    return text.done()


def change_text(
    table: str,
    old: Mapping[str, Part],
    new: Mapping[str, Part],
    changed: Collection[str],
    before: Mapping[Element, str | None],
    claims: Claims,
) -> str:
    """Turns what the Services `changed` had (`old`) into what they have; "" where that is the same.

    `before` is what each element it concerns was, None for one that was not there.
    """
    had, have = _together(old, changed), _together(new, changed)
    stale_chains = [name for name in had.chains if name not in have.chains]
    stale_sets = [name for name in had.sets if name not in have.sets]
    fresh = {name: rules for name, rules in have.chains.items() if had.chains.get(name) != rules}
    text = _Text(table)
    text.declare({name: declared for name, declared in have.sets.items() if name not in had.sets})
    text.declare_chains(name for name in fresh if name not in had.chains)
    after = {element: claims.value(element) for element in before}
    differs = [element for element in before if before[element] != after[element]]
    text.delete_elements(element for element in differs if before[element] is not None)
    for name in fresh:
        if name in had.chains:
            text.add(f"flush chain ip {table} {name}")
    text.fill(fresh)
    text.add_elements((element, value) for element in differs if (value := after[element]) is not None)
    for word in ("flush", "delete"):
        for name in stale_chains:
            text.add(f"{word} chain ip {table} {name}")
    for name in stale_sets:
        text.add(f"delete set ip {table} {name}")
    return text.done()


def _together(parts: Mapping[str, Part], keys: Collection[str]) -> Part:
    """What these Services have, elements left out."""
    found = [part for key in sorted(keys) if (part := parts.get(key)) is not None]
    return Part(
        chains={name: rules for part in found for name, rules in part.chains.items()},
        sets={name: declared for part in found for name, declared in part.sets.items()},
    )


class _Text:
    """The lines of one transaction."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        self._lines.append(line)

    def declare(self, sets: Mapping[str, Declared]) -> None:
        for name, declared in sets.items():
            self.add(f"add {declared.kind} ip {self._table} {name} {{ {declared.text} }}")

    def declare_chains(self, names: Iterable[str]) -> None:
        for name in names:
            hook = f" {{ {BASE[name].text} }}" if name in BASE else ""
            self.add(f"add chain ip {self._table} {name}{hook}")

    def fill(self, chains: Chains) -> None:
        for name, rules in chains.items():
            for rule in rules:
                self.add(f"add rule ip {self._table} {name} {rule}")

    def add_elements(self, elements: Iterable[tuple[Element, str]]) -> None:
        by_set: dict[str, list[str]] = {}
        for (where, key), value in elements:
            by_set.setdefault(where, []).append(f"{key} : {value}" if value else key)
        self._elements("add", by_set)

    def delete_elements(self, elements: Iterable[Element]) -> None:
        by_set: dict[str, list[str]] = {}
        for where, key in elements:
            by_set.setdefault(where, []).append(key)
        self._elements("delete", by_set)

    def _elements(self, word: str, by_set: Mapping[str, list[str]]) -> None:
        for where, listed in by_set.items():
            for start in range(0, len(listed), AT_ONCE):
                some = ", ".join(listed[start : start + AT_ONCE])
                self.add(f"{word} element ip {self._table} {where} {{ {some} }}")

    def done(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)
