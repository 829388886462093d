"""What comes of the hints of all providers, and whether a pod may come by it. Pure.

Source: pkg/kubelet/cm/topologymanager (policy.go, policy_*.go, numa_info.go). Upstream looks at every way to
take one hint of each list; here what is the same so far is kept once, so the work grows with the number of
sets of nodes and not with its powers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from wherry.kubelet.topology.hints import Hints, TopologyHint

Nodes = frozenset[int]
BEST_EFFORT, RESTRICTED, SINGLE = "best-effort", "restricted", "single-numa-node"
_Order = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class NumaInfo:
    """The machine's NUMA nodes; with `closest` the distances between them count."""

    nodes: Nodes
    distances: Mapping[int, Mapping[int, int]]
    closest: bool = False

    def order(self, nodes: Nodes) -> _Order:
        """Of two sets the one with the lesser order is taken."""
        mask = sum(1 << node for node in nodes)
        if not self.closest:
            return len(nodes), mask
        far = [self.distances.get(a, {}).get(b, 0) for a in nodes for b in nodes]
        return len(nodes), sum(far) / max(len(far), 1), mask


def merge(info: NumaInfo, policy: str, told: Iterable[Hints]) -> tuple[TopologyHint, bool]:
    """(The merged hint, whether the pod is admitted) by what every provider told."""
    lists = gathered(told)
    if policy == SINGLE:
        lists = [[hint for hint in hints if _is_single(hint)] for hints in lists]
    best = _best(info, lists)
    if policy == SINGLE and best.nodes == info.nodes:
        best = TopologyHint(None, best.is_preferred)
    return best, policy == BEST_EFFORT or best.is_preferred


def gathered(told: Iterable[Hints]) -> list[Sequence[TopologyHint]]:
    """A list of hints for every resource: one that does not mind takes any node."""
    lists: list[Sequence[TopologyHint]] = []
    for hints in told:
        if not hints:
            lists.append([TopologyHint(None, is_preferred=True)])
        for _, given in sorted(hints.items()):
            if given is None:
                lists.append([TopologyHint(None, is_preferred=True)])
            else:
                lists.append(given or [TopologyHint(None, is_preferred=False)])
    return lists


def _is_single(hint: TopologyHint) -> bool:
    return hint.is_preferred and (hint.nodes is None or len(hint.nodes) == 1)


def _best(info: NumaInfo, lists: Sequence[Sequence[TopologyHint]]) -> TopologyHint:
    merged: set[tuple[Nodes | None, bool]] = {(None, True)}
    for hints in lists:
        merged = {_join(nodes, is_preferred, hint) for nodes, is_preferred in merged for hint in hints}
    found = {
        TopologyHint(info.nodes if nodes is None else nodes & info.nodes, is_preferred)
        for nodes, is_preferred in merged
    }
    usable = [hint for hint in found if hint.nodes]
    if not usable:
        return TopologyHint(info.nodes, is_preferred=False)
    return min(usable, key=_ranking(info, lists))


def _join(nodes: Nodes | None, is_preferred: bool, hint: TopologyHint) -> tuple[Nodes | None, bool]:
    """Only sets that are the same are preferred together."""
    if hint.nodes is None or nodes is None:
        return hint.nodes if nodes is None else nodes, is_preferred and hint.is_preferred
    return nodes & hint.nodes, is_preferred and hint.is_preferred and nodes == hint.nodes


def _ranking(info: NumaInfo, lists: Sequence[Sequence[TopologyHint]]) -> Callable[[TopologyHint], _Order]:
    """Preferred hints first, the narrowest; of others those with as many nodes as the choosiest resource

    needs at least, else the most nodes below that, else the fewest above.
    """
    sizes = ([len(hint.nodes) for hint in hints if hint.nodes is not None] for hints in lists)
    ideal = max((min(one) for one in sizes if one), default=0)

    def rank(hint: TopologyHint) -> _Order:
        nodes = hint.nodes or frozenset()
        if hint.is_preferred:
            return 0, 0, *info.order(nodes)
        is_above = len(nodes) > ideal
        return 1, float(is_above), 0 if is_above else ideal - len(nodes), *info.order(nodes)

    return rank
