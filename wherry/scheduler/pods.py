"""All placed pods, counted: how many of them a selector matches on each node (`PodTable`).

Pods with the same labels in the same namespace are one class; a selector is compared with classes, not with
pods, and what was once asked for is kept up to date with every pod that comes or goes. So are the affinity
terms of placed pods, which concern those that are still to be placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wherry.objects.selectors import Selector
from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.interned import Ints
from wherry.scheduler.terms import Term

MOST_COUNTERS = 256
"""So many are kept; whoever asks for one that was dropped has it counted anew."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which pods are counted: those of `namespaces` (None: of all) that every selector matches.

    Without `counts_deleting` pods that are being deleted do not count.
    """

    conditions: tuple[tuple[frozenset[str] | None, Selector], ...]
    counts_deleting: bool = True

    def is_about(self, namespace: str, labels: Mapping[str, str], *, is_deleting: bool) -> bool:
        """Whether such a pod counts."""
        if is_deleting and not self.counts_deleting:
            return False
        return all(
            (namespaces is None or namespace in namespaces) and selector.matches(labels)
            for namespaces, selector in self.conditions
        )


@dataclass(eq=False, slots=True)
class PodClass:
    """Placed pods that no selector can tell apart; `rows` counts them by node."""

    namespace: str
    labels: Mapping[str, str]
    is_deleting: bool
    rows: dict[int, int] = field(default_factory=dict)
    counters: list[Ints] = field(default_factory=list)
    """The counts that include these pods."""


@dataclass(eq=False, slots=True)
class HeldTerm:
    """An affinity term of placed pods, and how many pods of each row have it.

    `weight` is None for a required one; `is_near` tells affinity from anti-affinity.
    """

    term: Term
    is_near: bool
    weight: int | None
    rows: dict[int, int] = field(default_factory=dict)
    """Only those with such a pod: there may be many terms."""


TermKey = tuple[Term, bool, int | None]


class PodTable:
    """Counts of placed pods per row; rows are those of the `NodeTable` beside it."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._classes: dict[tuple[str, frozenset[tuple[str, str]], bool], PodClass] = {}
        self._counters: dict[Question, Ints] = {}
        self._terms: dict[TermKey, HeldTerm] = {}

    def add(self, pod: PodFacts, row: int) -> None:
        """Count a pod that was placed."""
        self._shift(pod, row, 1)

    def remove(self, pod: PodFacts, row: int) -> None:
        """Count a pod no more."""
        self._shift(pod, row, -1)

    def count(self, question: Question) -> Ints:
        """Of how many pods per row the question is; kept up to date from now on, and not to be changed."""
        found = self._counters.pop(question, None)
        if found is None:
            found = self._counted(question)
            while len(self._counters) >= MOST_COUNTERS:
                self._drop(next(iter(self._counters)))
        self._counters[question] = found  # now the one used last
        return found

    @property
    def terms(self) -> Iterator[HeldTerm]:
        """The affinity terms some placed pod has."""
        return iter(self._terms.values())

    @property
    def has_terms(self) -> bool:
        """Whether any placed pod has one."""
        return bool(self._terms)

    def resize(self, capacity: int) -> None:
        """Make room for so many rows."""
        if capacity == self._capacity:
            return
        self._capacity = capacity
        for question in list(self._counters):
            self._drop(question)

    def _shift(self, pod: PodFacts, row: int, sign: int) -> None:
        found = self._class_of(pod)
        left = found.rows.get(row, 0) + sign
        if left:
            found.rows[row] = left
        else:
            del found.rows[row]
        for counter in found.counters:
            counter[row] += sign
        if not found.rows:
            del self._classes[_class_key(pod)]
        if pod.template.terms:
            for key in terms_of(pod.template):
                self._shift_term(key, row, sign)

    def _shift_term(self, key: TermKey, row: int, sign: int) -> None:
        held = self._terms.get(key)
        if held is None:
            term, is_near, weight = key
            held = self._terms[key] = HeldTerm(term, is_near, weight)
        left = held.rows.get(row, 0) + sign
        if left:
            held.rows[row] = left
            return
        del held.rows[row]
        if not held.rows:
            del self._terms[key]

    def _class_of(self, pod: PodFacts) -> PodClass:
        key = _class_key(pod)
        found = self._classes.get(key)
        if found is None:
            template = pod.template
            found = self._classes[key] = PodClass(template.namespace, template.labels, pod.is_deleting)
            found.counters = [
                counter
                for question, counter in self._counters.items()
                if question.is_about(template.namespace, template.labels, is_deleting=pod.is_deleting)
            ]
        return found

    def _counted(self, question: Question) -> Ints:
        counter = self._zeros()
        for found in self._classes.values():
            if question.is_about(found.namespace, found.labels, is_deleting=found.is_deleting):
                for row, count in found.rows.items():
                    counter[row] += count
                found.counters.append(counter)
        return counter

    def _drop(self, question: Question) -> None:
        counter = self._counters.pop(question)
        for found in self._classes.values():
            found.counters = [other for other in found.counters if other is not counter]

    def _zeros(self) -> npt.NDArray[Any]:
        return np.zeros(self._capacity, dtype=np.int64)


def _class_key(pod: PodFacts) -> tuple[str, frozenset[tuple[str, str]], bool]:
    return pod.template.namespace, pod.template.label_set, pod.is_deleting


def terms_of(template: Template) -> Iterator[TermKey]:
    """All affinity terms of a template."""
    terms = template.terms
    for term in terms.near:
        yield term, True, None
    for term in terms.apart:
        yield term, False, None
    for weight, term in terms.rather_near:
        yield term, True, weight
    for weight, term in terms.rather_apart:
        yield term, False, weight
