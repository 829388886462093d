"""Whether rules cover other rules: what somebody holds against what they want to grant.

Upstream (pkg/registry/rbac/validation, Covers) breaks a rule down into single permissions, of which a rule of
six hundred groups, resources and verbs has 216 million. Here the values of each dimension that the same held
rules accept are one class, and whole blocks of classes are decided at once: the held rules are bits of a
number, a block is covered if some bit is set for all of it, and missing if none is for any.
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

MASK_BITS = 4096
"""So many held rules more make each comparison cost as much again."""

Classes = list[tuple[int, list[str]]]
"""Which held rules accept them (a bit each), and the values."""


class TooManyBlocks(Exception):
    """The rule and what is held are cut up in too many different ways to be compared."""


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


class Held:
    """The rules somebody holds, indexed once to be compared with many others.

    `steps` counts what all comparisons have cost so far, some 100 ns each: who compares many
    rules pauses by it.
    """

    def __init__(self, rules: Sequence[Object]) -> None:
        self.steps = 0
        self._weight = 1 + len(rules) // MASK_BITS
        self._verbs = _index(rules, "verbs")
        self._groups = _index(rules, "apiGroups")
        self._resources = _index(rules, "resources")
        self._names = _index(rules, "resourceNames")
        self._urls = _index(rules, "nonResourceURLs")
        self._unnamed = _mask(bit for bit, rule in enumerate(rules) if not rule.get("resourceNames"))
        prefixes = [url[:-1] for url in self._urls if url.endswith(ANY)]
        self._prefix_lengths = sorted({len(prefix) for prefix in prefixes})

    def missing(self, rule: Object) -> Iterator[Missing]:
        """What of `rule` is not held, bit by bit: whoever has seen enough may stop. Raises TooManyBlocks."""
        verbs = _classes(rule.get("verbs") or (), self._verb)
        for url_mask, urls in _classes(rule.get("nonResourceURLs") or (), self._url):
            lacking = _lacking(url_mask, verbs)
            if lacking:
                yield from (Missing("", "", None, (url,), lacking) for url in urls)
        names = rule.get("resourceNames")
        named = _classes(names, self._name) if names else [(self._unnamed, [""])]
        dimensions = (
            _classes(rule.get("apiGroups") or (), self._group),
            _classes(rule.get("resources") or (), self._resource),
            named,
        )
        self.steps += self._weight * (len(verbs) + sum(map(len, dimensions)))
        for groups, resources, chosen, lacking in _blocks(dimensions, verbs, self._count):
            for group, resource, name in product(groups, resources, chosen):
                yield Missing(group, resource, name if names else None, (), lacking)

    def _count(self, steps: int) -> None:
        self.steps += self._weight * steps

    def _verb(self, verb: str) -> int:
        return self._verbs.get(verb, 0) | self._verbs.get(ANY, 0)

    def _group(self, group: str) -> int:
        return self._groups.get(group, 0) | self._groups.get(ANY, 0)

    def _resource(self, resource: str) -> int:
        mask = self._resources.get(resource, 0) | self._resources.get(ANY, 0)
        _, slash, subresource = resource.partition("/")
        return mask | self._resources.get(f"{ANY}/{subresource}", 0) if slash else mask

    def _name(self, name: str) -> int:
        return self._names.get(name, 0) | self._unnamed

    def _url(self, url: str) -> int:
        mask = self._urls.get(url, 0) | self._urls.get(ANY, 0)
        for length in self._prefix_lengths:
            if length > len(url):
                break
            mask |= self._urls.get(url[:length] + ANY, 0)
        return mask


def _index(rules: Sequence[Object], field: str) -> dict[str, int]:
    """By value, the rules that have it in `field`, a bit for each."""
    bits: dict[str, list[int]] = {}
    for bit, rule in enumerate(rules):
        for value in rule.get(field) or ():
            bits.setdefault(value, []).append(bit)
    return {value: _mask(found) for value, found in bits.items()}


def _mask(bits: Iterable[int]) -> int:
    """The number with these bits, some of them perhaps told twice, set: made at once, not bit by bit."""
    several = list(bits)
    if len(several) == 1:
        return 1 << several[0]
    made = bytearray(max(several, default=0) // 8 + 1)
    for bit in several:
        made[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(made, "little")


def _classes(values: Sequence[str], mask_of: Callable[[str], int]) -> Classes:
    found: dict[int, list[str]] = {}
    for value in dict.fromkeys(values):
        found.setdefault(mask_of(value), []).append(value)
    return list(found.items())


def _lacking(mask: int, verbs: Classes) -> tuple[str, ...]:
    """The verbs no rule of `mask` accepts."""
    return tuple(verb for accepted, values in verbs if not mask & accepted for verb in values)


def _blocks(
    dimensions: tuple[Classes, Classes, Classes], verbs: Classes, count: Callable[[int], None]
) -> Iterator[tuple[list[str], list[str], list[str], tuple[str, ...]]]:
    """The blocks (groups, resources, names) and the verbs missing in all of each. Raises TooManyBlocks."""
    groups, resources, names = dimensions
    every_verb = _common(verbs)
    every_name = _common(names) & every_verb
    every_resource = _common(resources) & every_name
    steps = 0
    for group_mask, some_groups in groups:
        if group_mask & every_resource:
            continue  # one rule accepts all that follows
        for resource_mask, some_resources in resources:
            steps += 1
            count(1)
            held = group_mask & resource_mask
            if held & every_name:
                continue
            for name_mask, some_names in names:
                steps += 1
                count(1)
                if held & name_mask & every_verb:
                    continue
                steps += len(verbs)
                count(len(verbs))
                if steps > MOST_STEPS:
                    raise TooManyBlocks
                lacking = _lacking(held & name_mask, verbs)
                if lacking:
                    yield some_groups, some_resources, some_names, lacking


def _common(classes: Classes) -> int:
    """The rules that accept every value."""
    return reduce(and_, (mask for mask, _ in classes), -1)


def uncovered(rules: Sequence[Object], held: Sequence[Object]) -> list[Object]:
    """Those of `rules`, broken into single permissions, that `held` does not grant. For rules of our own."""
    index = Held(held)
    return [
        part._replace(verbs=(verb,)).rule()
        for rule in rules
        for part in index.missing(rule)
        for verb in part.verbs
    ]
