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

from wherry.objects.selectors import NOTHING, Requirement, Selector
from wherry.scheduler.facts import PodFacts, Template
from wherry.scheduler.interned import Ints
from wherry.scheduler.lookup import Labelled, Selecting
from wherry.scheduler.recent import Recent
from wherry.scheduler.terms import Term

MOST_COUNTERS, MOST_TRIED = 256, 32
"""So many are kept, and so many of what-ifs; whoever asks for one that was dropped has it counted anew."""
OF_NAMESPACE = "namespace:"
"""Sets the labels of a pod's namespace apart from its own; no label key has a colon."""


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
class Counter:
    """The answer to a question by row, and which classes it counts."""

    question: Question
    rows: Ints
    classes: dict[PodClass, None] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class PodClass:
    """Placed pods that no selector can tell apart; `rows` counts them by node."""

    namespace: str
    labels: Mapping[str, str]
    is_deleting: bool
    rows: dict[int, int] = field(default_factory=dict)
    counters: dict[Counter, None] = field(default_factory=dict)
    """Those that count these pods."""


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
        self._by_labels: Labelled[PodClass] = Labelled()
        self._counters: Recent[Question, Counter] = Recent(MOST_COUNTERS, MOST_TRIED, self._drop)
        self.is_trying = False
        """Whether what is asked now is a what-if's."""
        self._asking: Selecting[Counter] = Selecting()
        self._terms: dict[TermKey, HeldTerm] = {}
        self._holding: Selecting[HeldTerm] = Selecting()

    def add(self, pod: PodFacts, row: int) -> None:
        """Count a pod that was placed."""
        self._shift(pod, row, 1)

    def remove(self, pod: PodFacts, row: int) -> None:
        """Count a pod no more."""
        self._shift(pod, row, -1)

    def count(self, question: Question) -> Ints:
        """Of how many pods per row the question is; kept up to date from now on, and not to be changed."""
        counter = self._counters.of(question, lambda: self._counted(question), is_trying=self.is_trying)
        return counter.rows

    def terms_about(
        self, namespace: str, namespace_labels: Mapping[str, str], labels: Mapping[str, str]
    ) -> Iterator[HeldTerm]:
        """The affinity terms of placed pods that may be about such a pod; others are not looked at."""
        of_namespace = {OF_NAMESPACE + key: value for key, value in namespace_labels.items()}
        return self._holding.candidates(namespace, {**labels, **of_namespace})

    def resize(self, capacity: int) -> None:
        """Make room for so many rows."""
        if capacity == self._capacity:
            return
        self._capacity = capacity
        self._counters.clear()

    def _shift(self, pod: PodFacts, row: int, sign: int) -> None:
        found = self._class_of(pod)
        left = found.rows.get(row, 0) + sign
        if left:
            found.rows[row] = left
        else:
            del found.rows[row]
        for counter in found.counters:
            counter.rows[row] += sign
        if not found.rows:
            self._forget(pod, found)
        if pod.template.terms:
            for key in terms_of(pod.template):
                self._shift_term(key, row, sign)

    def _shift_term(self, key: TermKey, row: int, sign: int) -> None:
        held = self._terms.get(key)
        if held is None:
            term, is_near, weight = key
            held = self._terms[key] = HeldTerm(term, is_near, weight)
            self._holding.add(held, *_filed_by(term))
        left = held.rows.get(row, 0) + sign
        if left:
            held.rows[row] = left
            return
        del held.rows[row]
        if not held.rows:
            del self._terms[key]
            self._holding.remove(held)

    def _class_of(self, pod: PodFacts) -> PodClass:
        key = _class_key(pod)
        found = self._classes.get(key)
        if found is None:
            template = pod.template
            found = self._classes[key] = PodClass(template.namespace, template.labels, pod.is_deleting)
            self._by_labels.add(found, template.namespace, template.labels)
            for counter in self._asking.candidates(template.namespace, template.labels):
                _relate(counter, found)
        return found

    def _forget(self, pod: PodFacts, found: PodClass) -> None:
        del self._classes[_class_key(pod)]
        self._by_labels.remove(found, found.namespace, found.labels)
        for counter in found.counters:
            del counter.classes[found]

    def _counted(self, question: Question) -> Counter:
        counter = Counter(question, self._zeros())
        # All conditions must hold: what the first cannot be about need not be looked at.
        namespaces, selector = question.conditions[0]
        self._asking.add(counter, namespaces, selector)
        for found in self._by_labels.candidates(namespaces, selector):
            if _relate(counter, found):
                for row, count in found.rows.items():
                    counter.rows[row] += count
        return counter

    def _drop(self, counter: Counter) -> None:
        self._asking.remove(counter)
        for found in counter.classes:
            del found.counters[counter]

    def _zeros(self) -> npt.NDArray[Any]:
        return np.zeros(self._capacity, dtype=np.int64)


def _relate(counter: Counter, found: PodClass) -> bool:
    """Have a class counted if it is asked about; whether it is."""
    if not counter.question.is_about(found.namespace, found.labels, is_deleting=found.is_deleting):
        return False
    counter.classes[found] = None
    found.counters[counter] = None
    return True


def _filed_by(term: Term) -> tuple[frozenset[str] | None, Selector]:
    """The namespaces of the pods a term is about, and what these pods have, or their namespaces."""
    if term.namespace_selector is None:
        return term.namespaces, term.selector
    if term.namespaces or NOTHING in (term.selector, term.namespace_selector):
        return None, term.selector
    demands = [
        Requirement(OF_NAMESPACE + one.key, one.operator, one.values)
        for one in term.namespace_selector.requirements
    ]
    return None, Selector((*term.selector.requirements, *demands))


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
