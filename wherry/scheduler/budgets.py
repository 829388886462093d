"""PodDisruptionBudgets as preemption sees them: kept up to date, read once, found by the pods they protect
(`Budgets`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from wherry.objects.meta import Object, key_of, name_of, namespace_of
from wherry.objects.selectors import Selector, from_label_selector
from wherry.scheduler.facts import PodFacts
from wherry.scheduler.lookup import Selecting


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """A PodDisruptionBudget: whom it protects, and how many of them may still be disrupted."""

    namespace: str
    selector: Selector
    allowed: int
    disrupted: frozenset[str]
    """Names of pods whose eviction is counted already."""

    def protects(self, pod: PodFacts) -> bool:
        """Whether evicting the pod counts against the budget."""
        template = pod.template
        return (
            template.namespace == self.namespace
            and bool(template.labels)
            and not self.selector.is_empty
            and self.selector.matches(template.labels)
            and name_of(pod.pod) not in self.disrupted
        )


def read_budget(budget: Object) -> Budget:
    """A budget from its object. Raises ValueError for a selector that is none."""
    status = budget.get("status") or {}
    return Budget(
        namespace=namespace_of(budget),
        selector=from_label_selector((budget.get("spec") or {}).get("selector")),
        allowed=status.get("disruptionsAllowed") or 0,
        disrupted=frozenset(status.get("disruptedPods") or ()),
    )


class Budgets:
    """All budgets there are."""

    def __init__(self) -> None:
        self._known: dict[str, Budget] = {}
        self._selecting: Selecting[Budget] = Selecting()
        self._changes = 0
        self._changed: dict[str, int] = {}
        """By namespace, after how many changes of all its budgets changed last."""

    def changed(self, old: Object | None, new: Object | None) -> None:
        """Take over what a watch says. Raises ValueError for a selector that is none."""
        before = self._known.pop(key_of(old), None) if old is not None else None
        if before is not None:
            self._selecting.remove(before)
        self._changes += 1
        self._changed[namespace_of(new or old or {})] = self._changes
        if new is not None:
            found = self._known[key_of(new)] = read_budget(new)
            self._selecting.add(found, frozenset((found.namespace,)), found.selector)

    def protecting(self, pod: PodFacts) -> Iterator[Budget]:
        """Those that the eviction of a pod counts against."""
        template = pod.template
        for budget in self._selecting.candidates(template.namespace, template.labels):
            if budget.protects(pod):
                yield budget

    def changed_at(self, namespaces: Collection[str]) -> int:
        """A number that grows with every change of the budgets of some namespaces."""
        return max((self._changed.get(namespace, 0) for namespace in namespaces), default=0)
