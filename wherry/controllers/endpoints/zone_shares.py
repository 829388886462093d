"""Which share of the processors each zone has, of the nodes that are ready; kept as nodes change.

Source: staging/src/k8s.io/endpointslice/topologycache, SetNodes.
"""

from __future__ import annotations

from collections import Counter

from wherry.objects.conditions import is_true
from wherry.objects.meta import Object, labels_of, name_of
from wherry.objects.quantity import milli

ZONE = "topology.kubernetes.io/zone"
APART = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
"""Nodes with one of these labels do not count."""


class ZoneShares:
    """One node that says no zone or no processors spoils it for all: nobody knows what it has."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int]] = {}
        self._nodes: Counter[str] = Counter()
        self._milli: Counter[str] = Counter()
        self._unknown = 0

    def put(self, old: Object | None, new: Object | None) -> bool:
        """Whether the node counts otherwise than before."""
        name = name_of(new or old or {})
        before, now = self._known.pop(name, None), _counted(new)
        if now is not None:
            self._known[name] = now
        if before == now:
            return False
        for found, step in ((before, -1), (now, 1)):
            if found is None:
                continue
            zone, processors = found
            if not zone or not processors:
                self._unknown += step
                continue
            self._nodes[zone] += step
            self._milli[zone] += step * processors
            if not self._nodes[zone]:
                del self._nodes[zone], self._milli[zone]
        return True

    def shares(self) -> dict[str, float] | None:
        """The share of each zone, by name; None when they are not known, or there is one zone only."""
        if self._unknown or len(self._milli) < 2:
            return None
        total = sum(self._milli.values())
        return {zone: self._milli[zone] / total for zone in sorted(self._milli)}


def _counted(node: Object | None) -> tuple[str, int] | None:
    """(zone, thousandths of a processor) of a node that counts."""
    status = (node or {}).get("status") or {}
    labels = labels_of(node or {})
    if not is_true(status.get("conditions"), "Ready") or any(label in labels for label in APART):
        return None
    return labels.get(ZONE, ""), milli((status.get("allocatable") or {}).get("cpu") or 0)
