"""A decision as the API shows it (`wherry.dev/v1alpha1`, PodDecisionStatus): nodes that had the same answers
are one group. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest

import numpy as np

from wherry.objects.meta import Object
from wherry.scheduler.framework import TOP_SCORE
from wherry.scheduler.interned import Ints
from wherry.scheduler.trace import Trace

MOST_NODES = 20
"""So many names of a group are told, beside how many nodes it has."""
MOST_GROUPS = 20
"""So many groups of nodes that passed are told, the best first."""


def decision_status(trace: Trace) -> Object:
    """What plugins said of every node, and where the pod goes."""
    filtered = _refused(trace) if trace.refusal is not None else _filtered(trace)
    passed = [] if trace.refusal is not None else _passed(trace)
    return {
        "nodeName": trace.chosen,
        "message": "" if trace.chosen else trace.message(),
        "nodes": len(trace.nodes),
        "feasible": len(trace.nodes) - sum(group["count"] for group in filtered),
        "filtered": filtered,
        "scored": passed,
    }


def group_of(nodes: Sequence[str], rows: Ints) -> Object:
    """How many nodes these rows are, and the names of the first."""
    names = [nodes[row] for row in rows.tolist()]
    return {"count": len(names), "nodes": nsmallest(MOST_NODES, names)}


def _refused(trace: Trace) -> list[Object]:
    """All nodes are out for a reason that is not theirs."""
    assert trace.refusal is not None
    reasons = [trace.refusal.reason]
    group = group_of(trace.nodes, np.arange(len(trace.nodes)))
    return [{"plugin": trace.refused_by, "reasons": reasons, "evictionHelps": False, **group}]


def _filtered(trace: Trace) -> list[Object]:
    groups = []
    for index, rows, bits in trace.first_rejections():
        reasons = trace.reasons[index]
        for found in np.unique(bits[rows]):
            own = [reason for bit, reason in enumerate(reasons) if int(found) & (1 << bit)]
            members = np.flatnonzero(rows & (bits == found))
            groups.append(
                {
                    "plugin": trace.filters[index],
                    "reasons": list(dict.fromkeys(reason.text for reason in own)),
                    "evictionHelps": all(reason.resolvable for reason in own),
                    **group_of(trace.nodes, members),
                }
            )
    return sorted(groups, key=lambda group: -group["count"])


def _passed(trace: Trace) -> list[Object]:
    left = np.flatnonzero(~trace.blocked.any(axis=0)) if len(trace.filters) else np.arange(len(trace.nodes))
    if not len(left):
        return []
    scores = np.asarray(trace.scores, dtype=np.int64)[:, left]
    members: Ints = np.zeros(len(left), dtype=np.int64)
    for points in scores:  # those with the same points up to here have the same number
        members = np.unique(members * (TOP_SCORE + 1) + points, return_inverse=True)[1].reshape(-1)
    kinds = scores[:, np.unique(members, return_index=True)[1]]
    totals = np.asarray(trace.weights, dtype=np.int64) @ kinds
    best: list[int] = [int(kind) for kind in np.argsort(-totals, kind="stable")[:MOST_GROUPS]]
    return [
        {
            "total": int(totals[kind]),
            "scores": _scores(trace, kinds[:, kind]),
            **group_of(trace.nodes, left[members == kind]),
        }
        for kind in best
    ]


def _scores(trace: Trace, points: Ints) -> Sequence[Object]:
    told = zip(trace.scorers, trace.weights, points, strict=True)
    return [{"plugin": name, "score": int(own), "weight": weight} for name, weight, own in told]
