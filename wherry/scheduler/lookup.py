"""Selectors found by labels (`Selecting`) and labels found by selectors (`Labelled`), without a look at all.

Each selector is filed under one thing it demands: a label with its value, or just the label. Whoever has
labels looks there, so what can never match costs nothing, however much of it there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from wherry.objects.selectors import NOTHING, Selector

T = TypeVar("T")

Namespaces = frozenset[str] | None
"""Which namespaces are meant, None for all."""
Pair = tuple[str, str | None]
"""A label and its value, or None for any value."""

ANYWHERE = ""
"""The shelf for what is not filed by namespace."""
ANYTHING: Pair = ("", None)
"""The place of selectors that demand no label."""
MANY = 8
"""More namespaces, or values of one label, than this are not filed one by one."""
MOST_PAIRS = 16
"""So many of the labels a selector demands are looked at to choose where to file it."""
_WANTS_LABEL = ("in", "=", "==", "exists", ">", "<")


class Selecting(Generic[T]):
    """Things that select, by what they demand. A thing is hashable and is there once."""

    def __init__(self) -> None:
        self._shelves: dict[str, dict[Pair, dict[T, None]]] = {}
        self._places: dict[T, tuple[tuple[str, Pair], ...]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, thing: T, namespaces: Namespaces, selector: Selector) -> None:
        """File a thing that selects in `namespaces`: where the fewest are of all that it demands."""
        scopes = _scopes(namespaces)
        options = [tuple((scope, pair) for scope in scopes for pair in one) for one in _demands(selector)]
        places = min(options, key=self._load) if len(options) > 1 else options[0]
        self._places[thing] = places
        for scope, pair in places:
            self._shelves.setdefault(scope, {}).setdefault(pair, {})[thing] = None

    def remove(self, thing: T) -> None:
        """Take a thing out. Raises KeyError if it is not there."""
        for scope, pair in self._places.pop(thing):
            shelf = self._shelves[scope]
            del shelf[pair][thing]
            if not shelf[pair]:
                del shelf[pair]
                if not shelf:
                    del self._shelves[scope]

    def candidates(self, namespace: str, labels: Mapping[str, str]) -> Iterator[T]:
        """All that may select what has these labels, each once; whether it does is still to be asked."""
        for scope in (namespace, ANYWHERE):
            shelf = self._shelves.get(scope)
            if shelf is None:
                continue
            yield from shelf.get(ANYTHING, ())
            for key, value in labels.items():
                yield from shelf.get((key, value), ())
                yield from shelf.get((key, None), ())

    def _load(self, places: tuple[tuple[str, Pair], ...]) -> int:
        return sum(len(self._shelves.get(scope, {}).get(pair, ())) for scope, pair in places)


class Labelled(Generic[T]):
    """Things with a namespace and labels, by these. A thing is hashable and is there once."""

    def __init__(self) -> None:
        self._shelves: dict[str, dict[Pair, dict[T, None]]] = {}

    def add(self, thing: T, namespace: str, labels: Mapping[str, str]) -> None:
        """File a thing."""
        for scope in (namespace, ANYWHERE):
            shelf = self._shelves.setdefault(scope, {})
            for pair in _pairs(labels):
                shelf.setdefault(pair, {})[thing] = None

    def remove(self, thing: T, namespace: str, labels: Mapping[str, str]) -> None:
        """Take a thing out, with what it was filed by. Raises KeyError if it is not there."""
        for scope in (namespace, ANYWHERE):
            shelf = self._shelves[scope]
            for pair in _pairs(labels):
                del shelf[pair][thing]
                if not shelf[pair]:
                    del shelf[pair]
            if not shelf:
                del self._shelves[scope]

    def candidates(self, namespaces: Namespaces, selector: Selector) -> Iterator[T]:
        """All that may be selected, each once; whether they are is still to be asked."""
        for scope in _scopes(namespaces):
            shelf = self._shelves.get(scope)
            if shelf is not None:
                options = [[shelf.get(pair, {}) for pair in one] for one in _demands(selector)]
                for place in min(options, key=lambda places: sum(map(len, places))):
                    yield from place


def _scopes(namespaces: Namespaces) -> tuple[str, ...]:
    if namespaces is None or len(namespaces) > MANY:
        return (ANYWHERE,)
    return tuple(namespaces)


def _demands(selector: Selector) -> list[tuple[Pair, ...]]:
    """What whatever is selected has, one way or another: of each answer, one of the pairs."""
    if selector == NOTHING:
        return [()]
    found: list[tuple[Pair, ...]] = [(pair,) for pair in selector.exact[:MOST_PAIRS]]
    if not found:
        for one in selector.requirements:
            if one.operator == "in" and len(one.values) <= MANY:
                found.append(tuple((one.key, value) for value in one.values))
            elif one.operator in _WANTS_LABEL:
                found.append(((one.key, None),))
    return found[:MOST_PAIRS] or [(ANYTHING,)]


def _pairs(labels: Mapping[str, str]) -> Iterator[Pair]:
    yield ANYTHING
    for key, value in labels.items():
        yield key, value
        yield key, None
