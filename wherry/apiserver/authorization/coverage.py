"""Whether rules cover other rules: what somebody holds against what they want to grant.

Upstream (pkg/registry/rbac/validation, Covers) breaks a rule down into single permissions, of which a rule of
six hundred groups, resources and verbs has 216 million. Here the values of each dimension that the same held
rules accept are one class, and whole blocks of classes are decided at once: the held rules are bits of a
number, a block is covered if some bit is set for all of it, and missing if none is for any.

Such a number is as long as there are held rules, so few are kept: what is kept for each value are the rules
that have it, and rules that differ in their names alone are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from itertools import product
from operator import and_
from typing import NamedTuple

from wherry.apiserver.authorization.rules import ANY
from wherry.objects.meta import Object

MOST_STEPS = 50_000
"""Comparisons for one rule, some milliseconds. It takes as many different held rules to need more."""

MOST_TOGETHER = 20_000_000
"""Comparisons for all rules that are compared with the same held ones: two seconds."""

MOST_VALUES = 2_000_000
"""Values of held rules. Each takes up to a hundred bytes."""

MASK_BITS = 4096
"""So many held rules more make each comparison cost as much again."""

_MASKS_BYTES = 4 * 1024 * 1024
"""What the numbers that are kept for a while may take in each dimension."""

_Key = tuple[int, ...]
Classes = list[tuple[_Key, list[str]]]
"""Which held rules accept them (see `_Values.key`), and the values."""


class TooManyBlocks(Exception):
    """What is compared is too much, or cut up in too many different ways."""


class Missing(NamedTuple):
    """Verbs that are not held: of one resource (and name), or of URLs."""

    group: str
    resource: str
    name: str | None
    urls: tuple[str, ...]
    verbs: tuple[str, ...]

    def rule(self) -> Object:
        """As a PolicyRule."""
        if self.urls:
            return {"verbs": list(self.verbs), "nonResourceURLs": list(self.urls)}
        made: Object = {
            "verbs": list(self.verbs),
            "apiGroups": [self.group],
            "resources": [self.resource],
        }
        return made if self.name is None else {**made, "resourceNames": [self.name]}


class _Values:
    """One dimension of some rules: which of them have which value. It takes as much as the values do."""

    __slots__ = ("_kept", "_masks", "_numbers", "_sets")

    def __init__(self, rules: Iterable[Iterable[str]]) -> None:
        found: dict[str, int | list[int]] = {}
        count = 0
        for count, values in enumerate(rules, 1):
            for value in values:
                known = found.setdefault(value, count - 1)
                if isinstance(known, list):
                    known.append(count - 1)
                elif known != count - 1:
                    found[value] = [known, count - 1]
        sets: dict[tuple[int, ...], int] = {}
        self._numbers = {
            value: sets.setdefault(tuple(some) if isinstance(some, list) else (some,), len(sets))
            for value, some in found.items()
        }
        self._sets = list(sets)
        self._masks: dict[int, int] = {}
        self._kept = 1 + _MASKS_BYTES // (1 + count // 8)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def key(self, *values: str) -> _Key:
        """The rules that have one of the values, as numbers of sets of them: `mask` tells which they are."""
        numbers = self._numbers
        return tuple(numbers[value] for value in values if value in numbers)

    def mask(self, key: _Key) -> int:
        """The rules of a key, a bit each."""
        made = 0
        for number in key:
            made |= self._mask(number)
        return made

    def _mask(self, number: int) -> int:
        known = self._masks.get(number)
        if known is None:
            if len(self._masks) >= self._kept:
                self._masks.clear()
            known = self._masks[number] = _mask(self._sets[number])
        return known


class _Side(NamedTuple):
    """What is wanted in one dimension, in classes; rules `besides` accept whatever is."""

    values: _Values
    classes: Classes
    besides: int = 0

    def masks(self) -> Iterator[tuple[int, list[str]]]:
        """The rules that accept a class, and the class."""
        for key, some in self.classes:
            yield self.values.mask(key) | self.besides, some

    def common(self) -> int:
        """The rules that accept every value."""
        return reduce(and_, (mask for mask, _ in self.masks()), -1)

    def lacking(self, mask: int) -> tuple[str, ...]:
        """The values no rule of `mask` accepts."""
        return tuple(value for accepted, some in self.masks() if not mask & accepted for value in some)


class Held:
    """The rules somebody holds, indexed once to be compared with many others. Raises TooManyBlocks.

    `steps` counts what all comparisons have cost so far, some 100 ns each; `most_steps` is where they end.
    """

    def __init__(self, rules: Iterable[Object], most_steps: int = MOST_TOGETHER) -> None:
        self.steps = 0
        self._most_steps = most_steps
        merged = _Merged(rules)
        count = len(merged.of_resources)
        self._weight = 1 + max(count, len(merged.of_urls)) // MASK_BITS
        self._verbs, self._groups, self._resources = (
            _Values(merged.values[key[dimension]] for key in merged.of_resources) for dimension in range(3)
        )
        self._names = _Values(names or () for names in merged.of_resources.values())
        self._unnamed = _mask(
            [bit for bit, names in enumerate(merged.of_resources.values()) if names is None]
        )
        self._url_verbs = _Values(merged.values[verbs] for verbs in merged.of_urls)
        self._urls = _Values(merged.of_urls.values())
        prefixes = [url[:-1] for url in self._urls if url.endswith(ANY)]
        self._prefix_lengths = sorted({len(prefix) for prefix in prefixes})

    def missing(self, rule: Object) -> Iterator[Missing]:
        """What of `rule` is not held, bit by bit: whoever has seen enough may stop. Raises TooManyBlocks."""
        upto = min(self._most_steps, self.steps + self._weight + MOST_STEPS)
        wanted = rule.get("verbs") or ()
        if urls := rule.get("nonResourceURLs"):
            verbs = _Side(self._url_verbs, _classes(wanted, lambda verb: self._url_verbs.key(verb, ANY)))
            yield from self._missing_urls(_Side(self._urls, _classes(urls, self._url)), verbs)
        names = rule.get("resourceNames")
        named: Classes = _classes(names, self._names.key) if names else [((), [""])]
        sides = (
            _Side(
                self._groups,
                _classes(rule.get("apiGroups") or (), lambda value: self._groups.key(value, ANY)),
            ),
            _Side(self._resources, _classes(rule.get("resources") or (), self._resource)),
            _Side(self._names, named, self._unnamed),
        )
        verbs = _Side(self._verbs, _classes(wanted, lambda verb: self._verbs.key(verb, ANY)))
        for groups, resources, chosen, lacking in self._blocks(sides, verbs, upto):
            for group, resource, name in product(groups, resources, chosen):
                yield Missing(group, resource, name if names else None, (), lacking)

    def _missing_urls(self, urls: _Side, verbs: _Side) -> Iterator[Missing]:
        for mask, some in urls.masks():
            self._count(len(verbs.classes), self._most_steps)
            lacking = verbs.lacking(mask)
            if lacking:
                yield from (Missing("", "", None, (url,), lacking) for url in some)

    def _blocks(
        self, sides: tuple[_Side, _Side, _Side], verbs: _Side, upto: int
    ) -> Iterator[tuple[list[str], list[str], list[str], tuple[str, ...]]]:
        """The blocks (groups, resources, names) and the verbs missing in all of each."""
        groups, resources, names = sides
        self._count(len(verbs.classes) + sum(len(side.classes) for side in sides), self._most_steps)
        every_verb = verbs.common()
        every_name = names.common() & every_verb
        every_resource = resources.common() & every_name
        for group_mask, some_groups in groups.masks():
            if group_mask & every_resource:
                continue  # one rule accepts all that follows
            for resource_mask, some_resources in resources.masks():
                self._count(1, upto)
                held = group_mask & resource_mask
                if held & every_name:
                    continue
                for name_mask, some_names in names.masks():
                    self._count(1, upto)
                    if held & name_mask & every_verb:
                        continue
                    self._count(len(verbs.classes), upto)
                    lacking = verbs.lacking(held & name_mask)
                    if lacking:
                        yield some_groups, some_resources, some_names, lacking

    def _count(self, steps: int, upto: int) -> None:
        self.steps += self._weight * steps
        if self.steps > upto:
            raise TooManyBlocks

    def _resource(self, resource: str) -> _Key:
        _, slash, subresource = resource.partition("/")
        anywhere = (f"{ANY}/{subresource}",) if slash else ()
        return self._resources.key(resource, ANY, *anywhere)

    def _url(self, url: str) -> _Key:
        starts = [url[:length] + ANY for length in self._prefix_lengths if length <= len(url)]
        return self._urls.key(url, ANY, *starts)


class _Merged:
    """Rules by what they have in common, so that those which differ in names, or URLs, alone are one.

    `of_resources` has, by three numbers of `values` (verbs, groups, resources), the names, None for whatever
    name; `of_urls` by one of them (verbs) the URLs. Raises TooManyBlocks.
    """

    __slots__ = ("_numbers", "of_resources", "of_urls", "values")

    def __init__(self, rules: Iterable[Object]) -> None:
        self.of_resources: dict[tuple[int, int, int], set[str] | None] = {}
        self.of_urls: dict[int, set[str]] = {}
        self._numbers: dict[tuple[str, ...], int] = {}
        count = 0
        for rule in rules:
            count += self._take(rule)
            if count > MOST_VALUES:
                raise TooManyBlocks
        self.values = list(self._numbers)

    def _take(self, rule: Object) -> int:
        """Add a rule; how many values it has that others had not."""
        before = len(self._numbers)
        verbs = self._number(rule.get("verbs") or ())
        urls = rule.get("nonResourceURLs") or ()
        if urls:
            self.of_urls.setdefault(verbs, set()).update(urls)
        groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
        key = verbs, self._number(groups), self._number(resources)
        names = rule.get("resourceNames") or ()
        known = self.of_resources.get(key, _NOTHING)
        if not names:
            self.of_resources[key] = None
        elif known is not None:
            if known is _NOTHING:
                known = self.of_resources[key] = set()
            known.update(names)
        is_new = known is _NOTHING or len(self._numbers) > before
        described = len(rule.get("verbs") or ()) + len(groups) + len(resources) if is_new else 0
        return described + len(names) + len(urls)

    def _number(self, values: Sequence[str]) -> int:
        some = tuple(values) if len(values) < 2 else tuple(sorted(set(values)))
        return self._numbers.setdefault(some, len(self._numbers))


_NOTHING: set[str] = set()
"""Stands for a rule that is not known yet."""


def _mask(bits: Sequence[int]) -> int:
    """The number with these bits set: made at once, not bit by bit."""
    if len(bits) == 1:
        return 1 << bits[0]
    made = bytearray(max(bits, default=0) // 8 + 1)
    for bit in bits:
        made[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(made, "little")


def _classes(values: Sequence[str], key_of: Callable[[str], _Key]) -> Classes:
    found: dict[_Key, list[str]] = {}
    for value in dict.fromkeys(values):
        found.setdefault(key_of(value), []).append(value)
    return list(found.items())


def uncovered(rules: Sequence[Object], held: Sequence[Object]) -> list[Object]:
    """Those of `rules`, broken into single permissions, that `held` does not grant. For rules of our own."""
    index = Held(held)
    return [
        part._replace(verbs=(verb,)).rule()
        for rule in rules
        for part in index.missing(rule)
        for verb in part.verbs
    ]
