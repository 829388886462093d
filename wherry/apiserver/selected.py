"""What a list or watch selects: `Selection`, a match over the cache that also says what it demands.

An object that lacks a demanded value cannot match, so whoever keeps objects or watchers by their values
(`indexes`, `watchers`) need not ask the others: a change of one pod concerns the kubelet of its node, not
a thousand kubelets.
"""

from __future__ import annotations

from typing import NamedTuple

from wherry.apiserver.cached import Cached
from wherry.objects.selectors import FieldSelector, Selector

NAME, NAMESPACE = "metadata.name", "metadata.namespace"


class Demand(NamedTuple):
    """One value an object must have: of a selectable field, or (`is_label`) of a label."""

    attribute: str
    value: str
    is_label: bool = False


class Selection:
    """A match of objects by name, labels and fields, as far as each is given.

    `name` and `namespace` are those it demands ("" for any), `demands` what else it demands, the most
    telling first.
    """

    __slots__ = ("_asks_name", "_fields", "_labels", "demands", "name", "namespace")

    def __init__(
        self, name: str = "", labels: Selector | None = None, fields: FieldSelector | None = None
    ) -> None:
        exact = {} if fields is None else fields.exact()
        self._asks_name = bool(name)
        self._labels = None if labels is None else labels.matches
        self._fields = None if fields is None else fields.matches
        self.name = name or exact.pop(NAME, "")
        self.namespace = exact.pop(NAMESPACE, "")
        exact.pop(NAME, None)
        by_label = () if labels is None else labels.exact
        self.demands = (
            *(Demand(field, value) for field, value in exact.items()),
            *(Demand(label, value, is_label=True) for label, value in by_label),
        )

    def __call__(self, cached: Cached) -> bool:
        """Whether the object is selected."""
        if self._asks_name and cached.name != self.name:
            return False
        if self._labels is not None and not self._labels(cached.labels):
            return False
        return self._fields is None or self._fields(cached.fields)
